import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, copyFile, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { MAX_LINE_BYTES } from '@many-cores/protocol'
import { temporary } from '@many-cores/testing'
import { LiveLog, readLog, runWriter, WriterProcess } from './testing/support.ts'

/** A followed file, its writer, and what comes out of it. */
async function follow(
  t: TestContext,
  directory: string,
  file: string
): Promise<{ writer: WriterProcess; key: string; log: LiveLog }> {
  const writer = new WriterProcess(t, directory, '--input', file)
  const key = await writer.key()
  return { writer, key, log: await LiveLog.open(t, directory, key) }
}

/** All that a run with `--exit` leaves in the log. */
async function published(t: TestContext, directory: string, file: string): Promise<string> {
  const writer = new WriterProcess(t, directory, '--input', file, '--exit')
  const key = await writer.key()
  assert.equal(await writer.ended(), 0, writer.stderr)
  return (await readLog(directory, key)).toString()
}

test('with --exit a file is published to its end, and at the next start only what has come', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'one\r\n\n\0three')
  assert.equal(await published(t, directory, file), 'one\r\n\n\0three')
  assert.equal(await published(t, directory, file), 'one\r\n\n\0three')
  await appendFile(file, ' and more\nfour\n')
  assert.equal(await published(t, directory, file), 'one\r\n\n\0three and more\nfour\n')
})

test('a growing file is followed, each line as soon as its newline has come', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'one\n')
  const { log } = await follow(t, directory, file)
  await log.until('one\n')
  await appendFile(file, 'two\nth')
  await log.until('one\ntwo\n')
  await appendFile(file, 'ree')
  await appendFile(file, '\n')
  await log.until('one\ntwo\nthree\n')
  const began = performance.now()
  let text = log.text
  for (let line = 0; line < 100; line++) {
    await appendFile(file, `${line}\n`)
    text += `${line}\n`
    await log.until(text)
  }
  const each = (performance.now() - began) / 100
  t.diagnostic(`${each.toFixed(1)} ms from a write to the reader`)
  assert.ok(each < 250, `${each} ms a line: it is polled`)
})

test('a line without newline is not published at a signal, and once when it is complete', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'whole\nha')
  const { writer, key, log } = await follow(t, directory, file)
  await log.until('whole\n')
  assert.equal(await writer.ended('SIGTERM'), 143, writer.stderr)
  assert.equal((await readLog(directory, key)).toString(), 'whole\n')
  await appendFile(file, 'lf\n')
  assert.equal(await published(t, directory, file), 'whole\nhalf\n')
})

test('a file that does not exist yet is waited for, and so is its directory', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'later', 'in')
  const { writer, log } = await follow(t, directory, file)
  await writer.heard('does not exist yet')
  await mkdir(join(directory, 'later'))
  await writeFile(file, 'here\n')
  await log.until('here\n')
})

test('with --exit a missing file and a directory are usage errors, and no store is made', async (t) => {
  const directory = await temporary(t)
  const argv = ['--input', join(directory, 'in'), '--exit']
  assert.match(await runWriter(t, directory, { argv, code: 2 }), /does not exist/)
  assert.match(await runWriter(t, directory, { argv: ['--input', directory], code: 2 }), /no regular file/)
  assert.ok(!existsSync(join(directory, 'store')))
  // the same where there is a store
  await runWriter(t, directory, { argv: ['--exit'] })
  assert.match(await runWriter(t, directory, { argv, code: 2 }), /does not exist/)
})

test('--input - is standard input', async (t) => {
  const directory = await temporary(t)
  assert.match(
    await runWriter(t, directory, { argv: ['--input', '-', '--exit'] }),
    /0 lines published, 0 in all/
  )
})

test('a renamed file is read to its end, then the new one from its start', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\n')
  const { log } = await follow(t, directory, file)
  await log.until('a1\n')
  await rename(file, `${file}.1`)
  await appendFile(`${file}.1`, 'a2\n')
  await log.until('a1\na2\n')
  // as logrotate does it: the new file is there before its program has let go of the old one
  await writeFile(file, '')
  await appendFile(`${file}.1`, 'a3\nthe end')
  await appendFile(file, 'b1\n')
  await log.until('a1\na2\na3\nthe endb1\n')
  await rename(`${file}.1`, `${file}.2`)
  await rename(file, `${file}.1`)
  await appendFile(file, 'c1\n')
  await log.until('a1\na2\na3\nthe endb1\nc1\n')
})

test('files that were rotated while nobody looked are read in their order', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\na2\n')
  assert.equal(await published(t, directory, file), 'a1\na2\n')
  await appendFile(file, 'a3\n')
  await rename(file, `${file}.4`)
  await writeFile(`${file}.3`, 'b1\n')
  await writeFile(`${file}.2`, '')
  await writeFile(`${file}.1`, 'c1\n')
  await writeFile(`${file}.5`, 'older\n')
  await writeFile(file, 'd1\n')
  assert.equal(await published(t, directory, file), 'a1\na2\na3\nb1\nc1\nd1\n')
  assert.equal(await published(t, directory, file), 'a1\na2\na3\nb1\nc1\nd1\n')
})

test('a file that is copied and truncated is read to its end in the copy, then from its start', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\n')
  const { writer, log } = await follow(t, directory, file)
  await log.until('a1\n')
  await appendFile(file, 'a2\n')
  await copyFile(file, `${file}.1`)
  await truncate(file)
  await log.until('a1\na2\n')
  await appendFile(file, 'b1\n')
  await log.until('a1\na2\nb1\n')
  // longer than before at once
  await rename(`${file}.1`, `${file}.2`)
  await copyFile(file, `${file}.1`)
  await writeFile(file, 'c1 that is longer than what was there\n')
  await log.until('a1\na2\nb1\nc1 that is longer than what was there\n')
  assert.equal(await writer.ended('SIGINT'), 130)

  await appendFile(file, 'c2\n')
  await rename(`${file}.1`, `${file}.3`)
  await copyFile(file, `${file}.2`)
  await writeFile(`${file}.1`, 'd1\n')
  await writeFile(file, 'e1\n')
  assert.equal(
    await published(t, directory, file),
    'a1\na2\nb1\nc1 that is longer than what was there\nc2\nd1\ne1\n'
  )
})

test('a copy that is still being made is not read twice', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\n')
  assert.equal(await published(t, directory, file), 'a1\n')
  await rename(file, `${file}.2`)
  await writeFile(file, 'b1\nb2\nb3\n')
  await writeFile(`${file}.1`, 'b1\nb2\n')
  assert.equal(await published(t, directory, file), 'a1\nb1\nb2\nb3\n')
})

test('a truncated file without a copy is read from its start, and what was lost is said', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\n')
  const { writer, log } = await follow(t, directory, file)
  await log.until('a1\n')
  await truncate(file)
  await writer.heard('was truncated; reading it from its start')
  await appendFile(file, 'b1\n')
  await log.until('a1\nb1\n')
})

test('a file that was replaced while nobody looked is read from its start, and that is said', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, 'a1\nhalf')
  const { writer, log } = await follow(t, directory, file)
  await log.until('a1\n')
  await writer.ended('SIGTERM')
  // in place: the inode stays
  await writeFile(file, 'b1 of the new file\n')
  const again = await runWriter(t, directory, { argv: ['--input', file, '--exit'] })
  assert.match(again, /published up to byte 3 is gone, and with it 4 bytes or more/)
  await rm(file)
  await writeFile(file, 'c1\n')
  assert.equal(await published(t, directory, file), 'a1\nb1 of the new file\nc1\n')
})

test('several files go into one log one after another, each from its own place', async (t) => {
  const directory = await temporary(t)
  const a = join(directory, 'a')
  const b = join(directory, 'b')
  await writeFile(a, 'a1\n')
  await writeFile(b, 'b1\n')
  await published(t, directory, a)
  await published(t, directory, b)
  await appendFile(a, 'a2\n')
  await appendFile(b, 'b2\n')
  await published(t, directory, a)
  assert.equal(await published(t, directory, b), 'a1\nb1\na2\nb2\n')
})

test('a file behind a symbolic link is followed', async (t) => {
  const directory = await temporary(t)
  const [file, link] = [join(directory, 'real', 'in'), join(directory, 'link')]
  await mkdir(join(directory, 'real'))
  await writeFile(file, 'one\n')
  await symlink(file, link)
  const { writer, log } = await follow(t, directory, link)
  await log.until('one\n')
  await appendFile(file, 'two\n')
  await log.until('one\ntwo\n')
  // rotated twice where it is
  await writer.ended('SIGTERM')
  await appendFile(file, 'three\n')
  await rename(file, `${file}.2`)
  await writeFile(`${file}.1`, 'four\n')
  await writeFile(file, 'five\n')
  assert.equal(await published(t, directory, link), 'one\ntwo\nthree\nfour\nfive\n')
})

test('a line over the limit exits 9 with file and byte; what stands before it is durable', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, Buffer.concat([Buffer.from('one\ntwo\n'), Buffer.alloc(MAX_LINE_BYTES + 1, 0x62)]))
  for (let start = 0; start < 2; start++) {
    const said = await runWriter(t, directory, { argv: ['--input', file, '--exit'], code: 9 })
    assert.ok(said.includes(`${file}: the line at byte 8 is longer than ${MAX_LINE_BYTES} bytes`), said)
  }
  await writeFile(file, 'one\ntwo\nthree\n')
  assert.equal(await published(t, directory, file), 'one\ntwo\nthree\n')
})
