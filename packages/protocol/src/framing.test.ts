import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { checkBlock, checkLine, type Framing, lineEnds } from './framing.ts'
import { MAX_BLOCK_BYTES, MAX_LINE_BYTES } from './limits.ts'
import { refuses } from './testing/golden.ts'

const FRAMINGS: readonly Framing[] = ['newline', 'none']
const NEWLINE = 0x0a

test('a block is split after each newline', () => {
  assert.deepEqual(ends('one\n'), [4])
  assert.deepEqual(ends('one\ntwo\n'), [4, 8])
  assert.deepEqual(ends('\n\n\n'), [1, 2, 3])
  assert.deepEqual(ends('a\r\nb\u2028c\n'), [3, 9])
})

test('bytes after the last newline are a line without a terminator', () => {
  assert.deepEqual(ends('one'), [3])
  assert.deepEqual(ends('one\ntwo'), [4, 7])
  assert.deepEqual(ends('\n\n '), [1, 2, 3])
})

test('an empty block has no line', () => {
  assert.deepEqual(ends(''), [])
})

test('with framing none a block is one line of any bytes', () => {
  for (const text of ['', '\n', 'one\ntwo\n', 'one\ntwo']) {
    assert.deepEqual(lineEnds(b4a.from(text), 'none'), [text.length])
  }
})

test('a plain Uint8Array and a view of a larger one are split like a Buffer', () => {
  const whole = b4a.from('zero\none\ntwo')
  assert.deepEqual(lineEnds(new Uint8Array(whole), 'newline'), [5, 9, 12])
  assert.deepEqual(lineEnds(whole.subarray(5), 'newline'), [4, 7])
})

test('a line is whole with its terminator or without', () => {
  for (const text of ['\n', 'one\n', 'one', 'one\r\n', '\0']) checkLine(b4a.from(text), 'newline')
})

test('a newline inside a line is refused with BAD_LINE', () => {
  for (const text of ['\n\n', 'one\ntwo', 'one\ntwo\n', '\none'])
    refuses('BAD_LINE', () => checkLine(b4a.from(text), 'newline'))
})

test('a line of no bytes is refused with BAD_LINE', () => {
  refuses('BAD_LINE', () => checkLine(b4a.from(''), 'newline'))
})

test('with framing none a line has any bytes, or none', () => {
  for (const text of ['', '\n\n', 'one\ntwo']) checkLine(b4a.from(text), 'none')
})

test('a line of 15 MiB is allowed, one byte more is refused with LINE_TOO_LONG', () => {
  const bytes = new Uint8Array(MAX_LINE_BYTES + 1)
  for (const framing of FRAMINGS) {
    checkLine(bytes.subarray(1), framing)
    refuses('LINE_TOO_LONG', () => checkLine(bytes, framing))
  }
})

test('a block of a data core holds whole lines', () => {
  for (const text of ['\n', 'one', 'one\ntwo\n', 'one\ntwo']) checkBlock(b4a.from(text), 'newline')
  for (const text of ['', '\n', 'one\ntwo']) checkBlock(b4a.from(text), 'none')
})

test('an empty block is refused with BAD_BLOCK', () => {
  refuses('BAD_BLOCK', () => checkBlock(b4a.from(''), 'newline'))
})

test('several lines in more than 1 MiB are refused with BAD_BLOCK, in 1 MiB they are not', () => {
  const bytes = new Uint8Array(MAX_BLOCK_BYTES + 1)
  bytes[MAX_BLOCK_BYTES - 1] = NEWLINE
  refuses('BAD_BLOCK', () => checkBlock(bytes, 'newline'))
  checkBlock(bytes.subarray(1), 'newline')
  checkBlock(bytes, 'none')
})

test('a block of more than 1 MiB is one line, with its terminator or without', () => {
  const bytes = new Uint8Array(MAX_BLOCK_BYTES + 1)
  checkBlock(bytes, 'newline')
  bytes[MAX_BLOCK_BYTES] = NEWLINE
  checkBlock(bytes, 'newline')
})

test('a block longer than any line is refused with BAD_BLOCK', () => {
  const bytes = new Uint8Array(MAX_LINE_BYTES + 1)
  for (const framing of FRAMINGS) {
    checkBlock(bytes.subarray(1), framing)
    refuses('BAD_BLOCK', () => checkBlock(bytes, framing))
  }
})

function ends(text: string): number[] {
  return lineEnds(b4a.from(text), 'newline')
}
