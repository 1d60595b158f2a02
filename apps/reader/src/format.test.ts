import assert from 'node:assert/strict'
import test from 'node:test'
import type { Batch, Entry } from '@many-cores/node'
import { parseKey } from '@many-cores/protocol'
import { createPaint } from './colors.ts'
import { createTextFormat, type Format, formatJson, formatRaw, formatTutorial } from './format.ts'

const KEY = parseKey('ab'.repeat(32))

/** A batch of `lines`, all in block 7 of one core. */
function batchOf(...lines: readonly (string | Uint8Array)[]): Batch {
  const entries = lines.map((line, position): Entry => {
    return { position, line: Buffer.from(line), core: 'short', key: KEY, index: 7, time: 1_763_800_000_000 }
  })
  const bytes = Buffer.concat(entries.map((entry) => entry.line))
  return {
    count: entries.length,
    byteLength: bytes.byteLength,
    position: 0,
    time: 1_763_800_000_000,
    next: entries.length,
    bytes: () => bytes,
    slice: (from, to) => batchOf(...lines.slice(from, to)),
    [Symbol.iterator]: () => entries[Symbol.iterator]()
  }
}

/** What `format` prints. */
function printed(format: Format, ...lines: readonly (string | Uint8Array)[]): string {
  return Buffer.from(format(batchOf(...lines))).toString()
}

/** One line in both formats for people. */
function shown(line: string | Uint8Array): string {
  const [, content] = /^Block 7 in Core (?:ab){32}: (.*)\n$/s.exec(printed(formatTutorial, line)) ?? []
  assert.ok(content !== undefined)
  assert.equal(printed(createTextFormat(['short'], null), line), `     0  short  ${content}\n`)
  return content
}

function json(...lines: readonly (string | Uint8Array)[]): unknown[] {
  const output = Buffer.from(formatJson(batchOf(...lines))).toString()
  assert.ok(output.endsWith('\n'))
  return output
    .slice(0, -1)
    .split('\n')
    .map((line): unknown => JSON.parse(line))
}

test('raw is exactly the bytes', () => {
  assert.deepEqual(
    formatRaw(batchOf('a\n', 'b\r\n', Buffer.of(0, 255))),
    Buffer.from('a\nb\r\n\0\xff', 'latin1')
  )
})

test('the tutorial’s format has no blank line', () => {
  const core = 'ab'.repeat(32)
  const expected = `Block 7 in Core ${core}: hi\nBlock 7 in Core ${core}: there\n`
  assert.equal(printed(formatTutorial, 'hi\n', 'there\n'), expected)
})

test('text is position, core and line in columns; a very long name is shortened', () => {
  assert.equal(
    printed(createTextFormat(['short', 'longest'], null), 'hi\n', 'there\n'),
    '     0  short    hi\n     1  short    there\n'
  )
  const names = ['short', 'a-name-with-far-too-many-letters']
  assert.equal(printed(createTextFormat(names, null), 'hi\n'), '     0  short             hi\n')
})

test('text colors the name of the core', () => {
  const paint = createPaint(['long', 'short'])
  assert.equal(printed(createTextFormat(['short'], paint), 'hi\n'), '     0  \x1b[33mshort\x1b[39m  hi\n')
})

test('text leaves out the line terminator', () => {
  assert.equal(shown('unix\n'), 'unix')
  assert.equal(shown('dos\r\n'), 'dos')
  assert.equal(shown('the end of an input'), 'the end of an input')
  assert.equal(shown('\n'), '')
})

test('text escapes control characters', () => {
  assert.equal(shown('\x1b[2Jclear\x07\x7f\n'), '\\x1b[2Jclear\\x07\\x7f')
  assert.equal(shown('over\rwritten\n'), 'over\\x0dwritten')
  assert.equal(shown('\0\b\v\f\n'), '\\x00\\x08\\x0b\\x0c')
  assert.equal(shown('one-byte CSI \x9b31m\n'), 'one-byte CSI \\x9b31m')
  assert.equal(shown('\u2028\u2029\u202e\u2066\u2069\n'), '\\u2028\\u2029\\u202e\\u2066\\u2069')
})

test('text shows a block of several lines, as the tutorial’s writer creates, as one line', () => {
  assert.equal(shown('one\ntwo\n'), 'one\\x0atwo')
})

test('text does not change tabs or any script', () => {
  assert.equal(shown('a\tb ä 你好 👩‍👩‍👧‍👦 e\u0301\n'), 'a\tb ä 你好 👩‍👩‍👧‍👦 e\u0301')
})

test('text shows invalid UTF-8 as replacement characters', () => {
  assert.equal(shown(Buffer.of(0x61, 0xff, 0x9b, 0x0a)), 'a\ufffd\ufffd')
})

test('JSON is one object per line, without the newline; a missing one is marked', () => {
  const common = {
    core: 'short',
    key: KEY,
    index: 7,
    time: 1_763_800_000_000,
    timestamp: '2025-11-22T08:26:40.000Z'
  }
  assert.deepEqual(json('hi\n', 'a "quoted"\tline\r\n', 'end'), [
    { position: 0, ...common, text: 'hi' },
    { position: 1, ...common, text: 'a "quoted"\tline\r' },
    { position: 2, ...common, text: 'end', newline: false }
  ])
})

test('JSON preserves every byte of a line', () => {
  const lines = [
    Buffer.from('\ufeffbyte order mark\n'),
    Buffer.from('\0\x1b\u2028\n'),
    Buffer.from('👩‍👩‍👧‍👦 e\u0301 你好'),
    Buffer.from('\n'),
    Buffer.from('two\n\n'),
    Buffer.from([]),
    Buffer.of(0xff, 0xfe, 0x00, 0x0a),
    // half a character, and a surrogate, which UTF-8 forbids
    Buffer.of(0xc3, 0x0a),
    Buffer.of(0xed, 0xa0, 0x80, 0x0a)
  ]
  const bytes = json(...lines).map((value) => {
    const { text, base64, newline } = value as { text?: string; base64?: string; newline?: false }
    const content = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text)
    return newline === false ? content : Buffer.concat([content, Buffer.of(0x0a)])
  })
  assert.deepEqual(bytes, lines)
})

test('JSON has base64 only if the bytes are not UTF-8', () => {
  const [utf8, other] = json('é\n', Buffer.from('é\n', 'latin1'))
  const members = ['position', 'core', 'key', 'index', 'time', 'timestamp']
  assert.deepEqual(Object.keys(utf8 as object), [...members, 'text'])
  assert.deepEqual(Object.keys(other as object), [...members, 'base64'])
})

test('JSON has no timestamp for a time that no date can express', () => {
  const [entry] = batchOf('hi\n')
  assert.ok(entry)
  const late = Object.assign(batchOf('hi\n'), {
    [Symbol.iterator]: () => [{ ...entry, time: Number.MAX_SAFE_INTEGER }][Symbol.iterator]()
  })
  const { time, timestamp } = JSON.parse(Buffer.from(formatJson(late)).toString()) as Record<string, unknown>
  assert.deepEqual([time, timestamp], [Number.MAX_SAFE_INTEGER, null])
})
