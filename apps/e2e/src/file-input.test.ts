import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, copyFile, mkdir, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
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

test('several inputs are published at once, each exactly once over a restart', async (t) => {
  const sandbox = await Sandbox.open(t)
  const [a, b] = [sandbox.path('a'), sandbox.path('b')]
  await writeFile(a, 'a1\n')
  await writeFile(b, 'b1\nb2\n')
  const args = ['--input', a, '--input', b, '--exit']
  await ended(sandbox.writer({ args }))
  await appendFile(a, 'a2\n')
  await ended(sandbox.writer({ args }))
  const lines = String(await readInput(sandbox.path('writer'))).split('\n')
  assert.deepEqual(
    lines.filter((line) => line.startsWith('a')),
    ['a1', 'a2']
  )
  assert.deepEqual(
    lines.filter((line) => line.startsWith('b')),
    ['b1', 'b2']
  )
  const { stderr } = await ended(sandbox.writer({ args: ['--input', a, '--input', a] }), 2)
  assert.match(stderr.text, /given twice/)
})

test('a file is the same one by another path to its directory', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('real/in')
  await mkdir(sandbox.path('real'))
  await symlink(sandbox.path('real'), sandbox.path('link'))
  await writeFile(file, 'one\n')
  assert.equal(await published(sandbox, file), 'one\n')
  assert.equal(await published(sandbox, sandbox.path('link/in')), 'one\n')
})

test('a link that leads to another file after a restart: the rest of the old one is published first', async (t) => {
  const sandbox = await Sandbox.open(t)
  const [old, next, link] = [sandbox.path('0.log'), sandbox.path('1.log'), sandbox.path('current')]
  await writeFile(old, 'one\n')
  await symlink(old, link)
  assert.equal(await published(sandbox, link), 'one\n')
  await appendFile(old, 'two\n')
  await writeFile(next, 'three\n')
  await rm(link)
  await symlink(next, link)
  assert.equal(await published(sandbox, link), 'one\ntwo\nthree\n')
})

test('a named pipe or a directory at the path is waited for, and a signal ends that', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  for (const make of [() => execFileSync('mkfifo', [file]), () => mkdir(file)]) {
    await make()
    const writer = await sandbox.writer({ args: ['--input', file] })
    await writer.stderr.says('not a regular file')
    await rm(file, { recursive: true })
    await writeFile(file, 'one\n')
    await writer.stderr.says(`following ${file}`)
    writer.signal('SIGTERM')
    await writer.ends(143)
    await rm(file)
  }
})

test('lines that a second program still writes to the renamed file are published', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'a1\n')
  const { until } = await follow(sandbox, file)
  await until('a1\n')
  await rename(file, `${file}.1`)
  await writeFile(file, 'b1\n')
  await until('a1\nb1\n')
  await appendFile(`${file}.1`, 'a2\n')
  await until('a1\nb1\na2\n')
  await appendFile(file, 'b2\n')
  await until('a1\nb1\na2\nb2\n')
})

test('a program that does not append leaves a hole in a truncated file, which is skipped', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  const program = await open(file, 'w')
  const first = `${'x'.repeat(99)}\n`.repeat(200_000)
  await program.write(first)
  assert.equal(await published(sandbox, file), first)
  await copyFile(file, `${file}.1`)
  await truncate(file)
  // it writes on where it was, 20 MB from the start
  await program.write('after\n')
  await program.close()
  assert.equal(await published(sandbox, file), `${first}after\n`)
})

test('lost lines are reported, with --quiet too', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, 'one\ntwo')
  const writer = await sandbox.writer({ args: ['--input', file] })
  await writer.stderr.says('following')
  await keyOf(writer)
  writer.signal('SIGTERM')
  await writer.ends(143)
  await rm(file)
  await writeFile(file, 'three\n')
  const { stderr } = await ended(sandbox.writer({ args: ['--input', file, '--exit', '--quiet'] }))
  assert.match(stderr.text, /is gone.*lost/)
})
