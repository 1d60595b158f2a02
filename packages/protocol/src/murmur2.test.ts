import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { murmur2 } from './murmur2.ts'
import { bytesOf, readGolden, type Spelled } from './testing/golden.ts'

interface Golden {
  readonly vectors: readonly (Spelled & { readonly hash: number })[]
}

const { vectors } = readGolden<Golden>('murmur2')

for (const { hash, ...spelled } of vectors) {
  test(`murmur2 of ${JSON.stringify(spelled)} is ${hash}`, () => {
    assert.equal(murmur2(bytesOf(spelled)), hash)
  })
}

test('murmur2 of a range of bytes is that of a copy of the range', () => {
  for (const { hash, ...spelled } of vectors) {
    const bytes = bytesOf(spelled)
    for (const padding of [1, 2, 3, 4]) {
      const around = b4a.alloc(padding, 0xff)
      const whole = b4a.concat([around, bytes, around])
      assert.equal(murmur2(whole, padding, padding + bytes.byteLength), hash)
    }
  }
})
