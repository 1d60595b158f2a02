import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import test from 'node:test'
import { digest, digestFile, numberedLines, randomBytes, writeSeededLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'

const MAX_LINE_BYTES = 15 * 1024 * 1024
const EVERYTHING = ['--raw', '--exit', '--from', 'start']

/** One line of `length` bytes, including its newline. */
function longLine(length: number): Buffer {
  const line = Buffer.alloc(length, 'many cores, one line; ')
  line[length - 1] = 0x0a
  return line
}

const inputs: Record<string, string | Buffer> = {
  text: numberedLines(0, 300),
  'text in many scripts': 'grüße\nпривет\n你好\n👩‍👩‍👧‍👦\ne\u0301\n',
  'random bytes with NUL and invalid UTF-8': randomBytes(300_000, 1),
  'lines that end with CRLF': 'a\r\n\r\nlonger than five\r\n\r',
  'empty lines only': '\n'.repeat(1000),
  'no newline at the end': 'one\ntwo without an end',
  'a single byte': 'x',
  nothing: '',
  'a line of 10 MiB': Buffer.concat([longLine(10 * 1024 * 1024), Buffer.from('after\n')]),
  'a line of exactly 15 MiB': Buffer.concat([longLine(MAX_LINE_BYTES), Buffer.from('after\n')]),
  '15 MiB without a newline': longLine(MAX_LINE_BYTES).fill('y')
}

/** Tested both ways. The others alternate, since every process takes half a second. */
const BOTH_WAYS = ['text', 'random bytes with NUL and invalid UTF-8', 'a line of exactly 15 MiB']

for (const [index, [name, input]] of Object.entries(inputs).entries()) {
  const isTestedBothWays = BOTH_WAYS.includes(name)
  if (isTestedBothWays || index % 2 === 0) {
    test(`${name}: from a file to a pipe, byte for byte`, async (t) => {
      const sandbox = await Sandbox.open(t)
      await writeFile(sandbox.path('input'), input)
      const writer = await sandbox.writer({ stdin: sandbox.path('input') })
      const key = await keyOf(writer)
      await writer.stderr.says('end of input')
      const reader = await sandbox.reader(key, { args: EVERYTHING })
      await reader.ends(0)
      assert.deepEqual(await digest(reader.stdout.chunks), await digest([Buffer.from(input)]))
    })
  }

  if (isTestedBothWays || index % 2 === 1) {
    test(`${name}: cat | writer, reader > copy, byte for byte`, async (t) => {
      const sandbox = await Sandbox.open(t)
      await writeFile(sandbox.path('input'), input)
      const writer = await sandbox.writer({ stdin: await sandbox.cat(sandbox.path('input')) })
      const key = await keyOf(writer)
      await writer.stderr.says('end of input')
      const reader = await sandbox.reader(key, { args: EVERYTHING, stdout: sandbox.path('copy') })
      await reader.ends(0)
      assert.deepEqual(await digestFile(sandbox.path('copy')), await digestFile(sandbox.path('input')))
    })
  }
}

test('1,000,000 lines, byte for byte, to a file and to a pipe', async (t) => {
  const sandbox = await Sandbox.open(t)
  await writeSeededLines(sandbox.path('input'), 1_000_000, 2)
  const writer = await sandbox.writer({ stdin: await sandbox.cat(sandbox.path('input')) })
  const key = await keyOf(writer)
  await writer.stderr.says('1000000 lines published')
  const toFile = await sandbox.reader(key, { args: EVERYTHING, stdout: sandbox.path('copy'), storage: 'r1' })
  const toPipe = await sandbox.reader(key, { args: EVERYTHING, storage: 'r2' })
  await Promise.all([toFile.ends(0), toPipe.ends(0)])
  const expected = await digestFile(sandbox.path('input'))
  assert.deepEqual(await digestFile(sandbox.path('copy')), expected)
  assert.deepEqual(await digest(toPipe.stdout.chunks), expected)
})

test('a line of 15 MiB + 1 ends the writer with 9 and the line number; only the lines before it are durable', async (t) => {
  const sandbox = await Sandbox.open(t)
  const before = numberedLines(0, 3)
  const writer = await sandbox.writer()
  writer.end(Buffer.concat([Buffer.from(before), longLine(MAX_LINE_BYTES + 1), Buffer.from('after\n')]))
  await writer.ends(9)
  assert.match(writer.stderr.text, /\bline 4\b/)

  const again = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(again), { args: EVERYTHING })
  await reader.ends(0)
  assert.equal(reader.stdout.text, before)
})

test('15 MiB + 1 without a newline, from a file: 9, and nothing is published', async (t) => {
  const sandbox = await Sandbox.open(t)
  await writeFile(sandbox.path('input'), longLine(MAX_LINE_BYTES + 1).fill('y'))
  const writer = await sandbox.writer({ stdin: sandbox.path('input') })
  await writer.ends(9)
  assert.match(writer.stderr.text, /\bline 1\b/)
  assert.equal((await readInput(sandbox.path('writer'))).byteLength, 0)
})
