import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, copyFile, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { MAX_LINE_BYTES } from '@many-cores/protocol'
import type { Program } from './harness/program.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'
import { tick } from './harness/tick.ts'

/** A writer that follows a file, and a reader of its log. */
interface Followed {
  readonly writer: Program
  /** Resolves once a reader has printed `text`, and nothing else. */
  readonly until: (text: string) => Promise<void>
}

async function follow(sandbox: Sandbox, file: string): Promise<Followed> {
  const writer = await sandbox.writer({ args: ['--input', file] })
  const { stdout } = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
  const until = async (text: string): Promise<void> => {
    await stdout.until(JSON.stringify(text), () => stdout.length >= Buffer.byteLength(text))
    assert.equal(stdout.text, text)
  }
  return { writer, until }
}

/** Runs the writer with `--exit`. Resolves to the whole log. */
async function published(sandbox: Sandbox, file: string): Promise<string> {
  await ended(sandbox.writer({ args: ['--input', file, '--exit'] }))
  return String(await readInput(sandbox.path('writer')))
}

test('with --exit, a file is published to its end, and at the next start only what was added', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'one\r\n\n\0three')
  assert.equal(await published(sandbox, file), 'one\r\n\n\0three')
  assert.equal(await published(sandbox, file), 'one\r\n\n\0three')
  await appendFile(file, ' and more\nfour\n')
  assert.equal(await published(sandbox, file), 'one\r\n\n\0three and more\nfour\n')
})

test('a growing file is followed, each line as soon as it has its newline', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'one\n')
  const { until } = await follow(sandbox, file)
  await until('one\n')
  await appendFile(file, 'two\nth')
  await until('one\ntwo\n')
  await appendFile(file, 'ree')
  await appendFile(file, '\n')
  await until('one\ntwo\nthree\n')
  const began = performance.now()
  let text = 'one\ntwo\nthree\n'
  for (let line = 0; line < 100; line++) {
    await appendFile(file, `${line}\n`)
    text += `${line}\n`
    await until(text)
  }
  const each = (performance.now() - began) / 100
  t.diagnostic(`${each.toFixed(1)} ms from a write to the reader`)
  assert.ok(each < 250, `${each} ms a line: it is polled`)
})

test('an incomplete last line is not published at a signal, and once when it is complete', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'whole\nha')
  const { writer, until } = await follow(sandbox, file)
  await until('whole\n')
  writer.signal('SIGTERM')
  await writer.ends(143)
  assert.equal(String(await readInput(sandbox.path('writer'))), 'whole\n')
  await appendFile(file, 'lf\n')
  assert.equal(await published(sandbox, file), 'whole\nhalf\n')
})

test('the writer waits for a file that does not exist yet, and for its directory', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('later/in')
  const { writer, until } = await follow(sandbox, file)
  await writer.stderr.says('does not exist yet')
  await mkdir(sandbox.path('later'))
  await writeFile(file, 'here\n')
  await until('here\n')
})

test('with --exit, a missing file is a usage error and no store is created; so is a directory', async (t) => {
  const sandbox = await Sandbox.open(t)
  const args = ['--input', sandbox.path('in'), '--exit']
  const missing = await ended(sandbox.writer({ args }), 2)
  assert.match(missing.stderr.text, /does not exist/)
  assert.ok(!existsSync(sandbox.path('writer')))
  const directory = await ended(sandbox.writer({ args: ['--input', sandbox.path('.'), '--exit'] }), 2)
  assert.match(directory.stderr.text, /not a regular file/)
  // the same if there is a store
  await sandbox.publish('')
  const again = await ended(sandbox.writer({ args }), 2)
  assert.match(again.stderr.text, /does not exist/)
})

test('--input - is standard input', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await ended(sandbox.writer({ args: ['--input', '-', '--exit'], stdin: '/dev/null' }))
  assert.match(writer.stderr.text, /0 lines published, 0 in total/)
})

test('a renamed file is read to its end, then the new file from its start', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\n')
  const { until } = await follow(sandbox, file)
  await until('a1\n')
  await rename(file, `${file}.1`)
  await appendFile(`${file}.1`, 'a2\n')
  await until('a1\na2\n')
  // as logrotate does: the new file exists while the program still writes to the old one
  await writeFile(file, '')
  await appendFile(`${file}.1`, 'a3\nthe end')
  await appendFile(file, 'b1\n')
  await until('a1\na2\na3\nthe endb1\n')
  await rename(`${file}.1`, `${file}.2`)
  await rename(file, `${file}.1`)
  await appendFile(file, 'c1\n')
  await until('a1\na2\na3\nthe endb1\nc1\n')
})

test('files that were rotated while no writer ran are read in order', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\na2\n')
  await writeFile(`${file}.5`, 'older\n')
  assert.equal(await published(sandbox, file), 'a1\na2\n')
  await appendFile(file, 'a3\n')
  await rename(file, `${file}.4`)
  for (const [name, text] of [
    ['.3', 'b1\n'],
    ['.2', ''],
    ['.1', 'c1\n'],
    ['', 'd1\n']
  ] as const) {
    await tick(file)
    await writeFile(`${file}${name}`, text)
  }
  assert.equal(await published(sandbox, file), 'a1\na2\na3\nb1\nc1\nd1\n')
  assert.equal(await published(sandbox, file), 'a1\na2\na3\nb1\nc1\nd1\n')
})

test('a file that is copied and truncated is read to its end in the copy, then from its start', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\n')
  const { writer, until } = await follow(sandbox, file)
  await until('a1\n')
  await appendFile(file, 'a2\n')
  await copyFile(file, `${file}.1`)
  await truncate(file)
  await until('a1\na2\n')
  await appendFile(file, 'b1\n')
  await until('a1\na2\nb1\n')
  // at once longer than before
  await rename(`${file}.1`, `${file}.2`)
  await copyFile(file, `${file}.1`)
  await writeFile(file, 'c1 that is longer than what was there\n')
  await until('a1\na2\nb1\nc1 that is longer than what was there\n')
  writer.signal('SIGINT')
  await writer.ends(130)

  await appendFile(file, 'c2\n')
  await rename(`${file}.1`, `${file}.3`)
  await copyFile(file, `${file}.2`)
  await tick(file)
  await writeFile(`${file}.1`, 'd1\n')
  await writeFile(file, 'e1\n')
  assert.equal(
    await published(sandbox, file),
    'a1\na2\nb1\nc1 that is longer than what was there\nc2\nd1\ne1\n'
  )
})

test('a copy that is not complete yet is not read twice', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\n')
  assert.equal(await published(sandbox, file), 'a1\n')
  await rename(file, `${file}.2`)
  await writeFile(file, 'b1\nb2\nb3\n')
  await writeFile(`${file}.1`, 'b1\nb2\n')
  assert.equal(await published(sandbox, file), 'a1\nb1\nb2\nb3\n')
})

test('a truncated file without a copy is read from its start, with a warning', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\n')
  const { writer, until } = await follow(sandbox, file)
  await until('a1\n')
  await truncate(file)
  await writer.stderr.says('was truncated or rewritten; reading it from its start')
  await appendFile(file, 'b1\n')
  await until('a1\nb1\n')
})

test('a file that was replaced while no writer ran is read from its start, with a warning', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\nhalf')
  const { writer, until } = await follow(sandbox, file)
  await until('a1\n')
  writer.signal('SIGTERM')
  await writer.ends(143)
  // in place: the inode stays
  await writeFile(file, 'b1 of the new file\n')
  const again = await ended(sandbox.writer({ args: ['--input', file, '--exit'] }))
  assert.match(
    again.stderr.text,
    /published up to byte 3 was truncated or rewritten, with at least 4 unpublished bytes/
  )
  await rm(file)
  await writeFile(file, 'c1\n')
  assert.equal(await published(sandbox, file), 'a1\nb1 of the new file\nc1\n')
})

test('several files can be published to one log in turn, each from its own position', async (t) => {
  const sandbox = await Sandbox.open(t)
  const a = sandbox.path('a')
  const b = sandbox.path('b')
  await writeFile(a, 'a1\n')
  await writeFile(b, 'b1\n')
  await published(sandbox, a)
  await published(sandbox, b)
  await appendFile(a, 'a2\n')
  await appendFile(b, 'b2\n')
  await published(sandbox, a)
  assert.equal(await published(sandbox, b), 'a1\nb1\na2\nb2\n')
})

test('a file behind a symbolic link is followed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const [file, link] = [sandbox.path('real/in'), sandbox.path('link')]
  await mkdir(sandbox.path('real'))
  await writeFile(file, 'one\n')
  await symlink(file, link)
  const { writer, until } = await follow(sandbox, link)
  await until('one\n')
  await appendFile(file, 'two\n')
  await until('one\ntwo\n')
  // rotated twice in its directory
  writer.signal('SIGTERM')
  await writer.ends(143)
  await appendFile(file, 'three\n')
  await rename(file, `${file}.2`)
  await tick(file)
  await writeFile(`${file}.1`, 'four\n')
  await writeFile(file, 'five\n')
  assert.equal(await published(sandbox, link), 'one\ntwo\nthree\nfour\nfive\n')
})

test('a line over the limit: 9 with file and byte; the lines before it are durable', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, Buffer.concat([Buffer.from('one\ntwo\n'), Buffer.alloc(MAX_LINE_BYTES + 1, 0x62)]))
  for (let start = 0; start < 2; start++) {
    const { stderr } = await ended(sandbox.writer({ args: ['--input', file, '--exit'] }), 9)
    const message = `${file}: the line at byte 8 is longer than ${MAX_LINE_BYTES} bytes`
    assert.ok(stderr.text.includes(message), stderr.text)
  }
  await writeFile(file, 'one\ntwo\nthree\n')
  assert.equal(await published(sandbox, file), 'one\ntwo\nthree\n')
})
