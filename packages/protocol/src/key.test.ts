import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { formatKey, KEY_BYTES, keyFromBytes, keyToBytes, parseKey } from './key.ts'
import { readGolden, refuses } from './testing/golden.ts'

interface Golden {
  readonly formats: readonly { readonly hex: string; readonly z32: string }[]
  readonly spellings: readonly { readonly text: string; readonly hex: string }[]
  readonly invalid: readonly string[]
}

const { formats, spellings, invalid } = readGolden<Golden>('keys')

for (const { hex, z32 } of formats) {
  test(`${hex} is formatted as ${z32}, and parsed from it`, () => {
    const key = keyFromBytes(b4a.from(hex, 'hex'))
    assert.equal(formatKey(key), hex)
    assert.equal(formatKey(key, 'hex'), hex)
    assert.equal(formatKey(key, 'z32'), z32)
    assert.equal(parseKey(hex), key)
    assert.equal(parseKey(z32), key)
    assert.equal(b4a.toString(keyToBytes(key), 'hex'), hex)
  })
}

for (const { text, hex } of spellings) {
  test(`${JSON.stringify(text)} is read as a key`, () => {
    assert.equal(parseKey(text), hex)
  })
}

for (const text of invalid) {
  test(`${JSON.stringify(text)} is refused with BAD_KEY`, () => {
    refuses('BAD_KEY', () => parseKey(text))
  })
}

test('a value that is not a string is refused with BAD_KEY', () => {
  for (const value of [undefined, null, 5, {}]) refuses('BAD_KEY', () => parseKey(value as string))
})

test('the message about a bad key does not repeat it', () => {
  for (const text of invalid.filter((text) => text.trim().length > 8)) {
    assert.throws(
      () => parseKey(text),
      (error) => error instanceof Error && !error.message.includes(text.trim())
    )
  }
})

test('a key of another length than 32 bytes is refused with BAD_KEY', () => {
  for (const length of [0, KEY_BYTES - 1, KEY_BYTES + 1, 2 * KEY_BYTES]) {
    refuses('BAD_KEY', () => keyFromBytes(new Uint8Array(length)))
  }
})

test('the bytes of a key are a copy', () => {
  const key = parseKey('00'.repeat(KEY_BYTES))
  keyToBytes(key).fill(0xff)
  assert.equal(keyToBytes(key)[0], 0)
})
