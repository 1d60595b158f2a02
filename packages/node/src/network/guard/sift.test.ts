import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWorthDecoding } from './sift.ts'

const LABEL = '_many-cores'
const NAME = Buffer.from(`\x0b${LABEL}\x04_tcp\x05local\x00`, 'latin1')

/** A message with these counts of questions, answers and others, and whatever is to follow. */
function message(counts: readonly number[], ...parts: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12)
  for (const [index, count] of counts.entries()) header.writeUInt16BE(count, 4 + 2 * index)
  return Buffer.concat([header, ...parts])
}

test('what is about the label and can hold what it announces is decoded', () => {
  assert.ok(isWorthDecoding(message([1], NAME, Buffer.alloc(4)), LABEL))
  assert.ok(isWorthDecoding(message([0, 1], NAME, Buffer.alloc(10)), LABEL))
})

test('what is short, long, about something else, or announces more than it holds is not', () => {
  assert.ok(!isWorthDecoding(Buffer.alloc(0), LABEL))
  assert.ok(!isWorthDecoding(Buffer.alloc(11), LABEL))
  assert.ok(!isWorthDecoding(message([1], NAME, Buffer.alloc(9000)), LABEL))
  assert.ok(
    !isWorthDecoding(message([1], Buffer.from('\x04_ipp\x04_tcp\x05local\0'), Buffer.alloc(4)), LABEL)
  )
  for (const counts of [[65_535], [0, 65_535], [0, 0, 65_535], [0, 0, 0, 65_535], [0, 4]])
    assert.ok(!isWorthDecoding(message(counts, NAME, Buffer.alloc(11)), LABEL), counts.join())
})

test('thousands of pointers that hundreds of records may follow are not decoded', () => {
  const pointers = Buffer.alloc(3000, 0xc0)
  assert.ok(!isWorthDecoding(message([0, 300], NAME, pointers, Buffer.alloc(5000)), LABEL))
  assert.ok(isWorthDecoding(message([0, 20], NAME, pointers, Buffer.alloc(5000)), LABEL))
})
