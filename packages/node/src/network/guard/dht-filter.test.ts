import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasLongList } from './dht-filter.ts'

const KEY = Buffer.alloc(32, 7)
const ADDRESS = Buffer.alloc(8, 7)
const MILLION = Buffer.of(0xfe, 0xff, 0xff, 0x0f, 0)
const TWENTY = Buffer.concat([Buffer.of(20), Buffer.alloc(20 * 6)])

function response(flags: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(0x13, flags), ADDRESS, ...parts])
}

function request(flags: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(0x03, flags), ADDRESS, ...parts])
}

/** A value of up to 64 KiB after its length, in each form that the length can have. */
function announcement(relays: Buffer): readonly Buffer[] {
  const value = Buffer.concat([Buffer.of(1 | 4), KEY, relays, Buffer.alloc(64)])
  const short = value.byteLength < 0xfd ? [Buffer.concat([Buffer.of(value.byteLength), value])] : []
  return [...short, Buffer.concat([Buffer.of(0xfd, value.byteLength & 0xff, value.byteLength >> 8), value])]
}

test('a response with twenty nodes passes, one with a million does not, wherever the list begins', () => {
  for (const [flags, ...before] of [[4], [5, KEY], [6, KEY], [7, KEY, KEY]] as const) {
    assert.ok(!hasLongList(response(flags, ...before, TWENTY)))
    assert.ok(hasLongList(response(flags, ...before, MILLION)))
    assert.ok(hasLongList(response(flags, ...before, Buffer.of(0xfd, 0xff, 0xff))))
  }
  // other parts may look like a list
  assert.ok(!hasLongList(response(1, Buffer.alloc(32, 0xff))))
})

test('an announcement with a few relays passes, one with a million does not, wherever the list begins', () => {
  for (const command of [4, 5]) {
    for (const [flags, ...before] of [[16], [17, KEY], [18, KEY], [19, KEY, KEY]] as const) {
      for (const [relays, expected] of [
        [TWENTY, false],
        [MILLION, true]
      ] as const) {
        for (const value of announcement(relays)) {
          assert.equal(hasLongList(request(flags, ...before, Buffer.of(command), value)), expected)
          const withTarget = request(flags | 8, ...before, Buffer.of(command), KEY, value)
          assert.equal(hasLongList(withTarget), expected)
        }
      }
    }
  }
})

test('other requests, other protocols and truncated messages pass', () => {
  assert.ok(!hasLongList(request(16 | 4, Buffer.of(4), Buffer.alloc(64, 0xff))))
  assert.ok(!hasLongList(request(16, Buffer.of(3), Buffer.alloc(64, 0xff))))
  assert.ok(!hasLongList(Buffer.alloc(1200, 0xff)))
  for (let length = 0; length < 45; length++)
    assert.ok(!hasLongList(request(16, Buffer.of(4), Buffer.alloc(200)).subarray(0, length)))
})
