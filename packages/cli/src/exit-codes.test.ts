import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from './errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'

test('every error code has its exit code', () => {
  const expected: Readonly<Record<string, readonly string[]>> = {
    1: ['CLOSED'],
    2: ['USAGE', 'BAD_KEY', 'BAD_RULE', 'RULE_MISMATCH', 'BAD_OPTION', 'MISSING', 'NOT_A_FILE'],
    3: ['NOT_FOUND'],
    5: [
      'BAD_MANIFEST',
      'UNKNOWN_VERSION',
      'BAD_RECORD',
      'UNKNOWN_BLOCK',
      'BAD_BLOCK',
      'MISROUTED',
      'INTEGRITY',
      'REWRITTEN'
    ],
    6: ['GONE'],
    7: ['STORE_IN_USE', 'OUTPUT_IN_USE'],
    8: ['STORE_REFUSED', 'STORE_FULL', 'OUTPUT_REFUSED', 'BAD_PLACE'],
    9: ['BAD_LINE', 'LINE_TOO_LONG', 'BATCH_TOO_LARGE', 'UNREADABLE']
  }
  for (const [exit, codes] of Object.entries(expected)) {
    for (const code of codes)
      assert.equal(exitCodeOf(Object.assign(new Error(), { code })), Number(exit), code)
  }
})

test('a usage error is 2', () => {
  assert.equal(exitCodeOf(new UsageError('x')), EXIT.usage)
})

test('any other thrown value is 1', () => {
  const strange = [
    new Error('x'),
    'NOT_FOUND',
    null,
    undefined,
    { code: 3 },
    { code: 'constructor' },
    { code: 'ENOENT' }
  ]
  for (const error of strange) assert.equal(exitCodeOf(error), EXIT.unexpected)
})
