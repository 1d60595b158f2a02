import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as limits from './limits.ts'
import { readGolden } from './testing/golden.ts'

test('the limits are those in the golden file', () => {
  const golden = readGolden<{ readonly limits: Readonly<Record<string, number>> }>('limits')
  assert.deepEqual({ ...limits }, golden.limits)
})

test('the longest line fits in a batch', () => {
  assert.ok(limits.MAX_LINE_BYTES <= limits.MAX_BATCH_BYTES)
})
