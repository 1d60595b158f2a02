import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shouldDecode } from './mdns-filter.ts'

const LABEL = '_many-cores'
const NAME = Buffer.from(`\x0b${LABEL}\x04_tcp\x05local\x00`, 'latin1')

/** A message with these counts of questions, answers and other records, and these parts. */
function message(counts: readonly number[], ...parts: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12)
  for (const [index, count] of counts.entries()) header.writeUInt16BE(count, 4 + 2 * index)
  return Buffer.concat([header, ...parts])
}

test('a message that has the label and is long enough for its records is decoded', () => {
  assert.ok(shouldDecode(message([1], NAME, Buffer.alloc(4)), LABEL))
  assert.ok(shouldDecode(message([0, 1], NAME, Buffer.alloc(10)), LABEL))
})

test('a message that is short, long, without the label, or too short for its records is not decoded', () => {
  assert.ok(!shouldDecode(Buffer.alloc(0), LABEL))
  assert.ok(!shouldDecode(Buffer.alloc(11), LABEL))
  assert.ok(!shouldDecode(message([1], NAME, Buffer.alloc(9000)), LABEL))
  assert.ok(!shouldDecode(message([1], Buffer.from('\x04_ipp\x04_tcp\x05local\0'), Buffer.alloc(4)), LABEL))
  for (const counts of [[65_535], [0, 65_535], [0, 0, 65_535], [0, 0, 0, 65_535], [0, 4]])
    assert.ok(!shouldDecode(message(counts, NAME, Buffer.alloc(11)), LABEL), counts.join())
})

test('thousands of pointers with hundreds of records are not decoded', () => {
  const pointers = Buffer.alloc(3000, 0xc0)
  assert.ok(!shouldDecode(message([0, 300], NAME, pointers, Buffer.alloc(5000)), LABEL))
  assert.ok(shouldDecode(message([0, 20], NAME, pointers, Buffer.alloc(5000)), LABEL))
})
