import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFile,
  copyFile,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile
} from 'node:fs/promises'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Writer } from '@many-cores/node'
import { atEnd, deadline } from '@many-cores/testing'
import { Output } from './harness/output.ts'
import { builtFile, type Program } from './harness/program.ts'
import { linesOf } from './harness/samples.ts'
import { ended, Sandbox } from './harness/sandbox.ts'

/** How many times the reader is killed. `KILLS=200` for a long run. */
const KILLS = Number(process.env.KILLS ?? 8)

/** The log is at most this far ahead of the file, so that the reader does not have to catch up at the end. */
const MAX_AHEAD_BYTES = 2 << 20

/** Publishes lines, a little ahead of the file, until the returned function is called. */
function publishOn(writer: Writer, path: string): () => Promise<void> {
  let stopped = false
  let bytes = 0
  const publishing = (async () => {
    while (!stopped) {
      const lines = linesOf(writer.length, writer.length + randomInt(1, 400))
      if (bytes - (await sizeOf(path)) < MAX_AHEAD_BYTES) {
        await writer.publish(lines)
        bytes += Buffer.byteLength(lines.join(''))
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  return async () => {
    stopped = true
    await publishing
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0
}

/** Kills a reader at a random moment: while it starts, or once it has written some more. */
async function killOnce(sandbox: Sandbox, key: string, path: string): Promise<void> {
  const before = await sizeOf(path)
  const reader = await sandbox.reader(key, { args: ['--output', path] })
  const grows = async (): Promise<void> => {
    while ((await sizeOf(path)) <= before && reader.isRunning) await new Promise(setImmediate)
  }
  if (randomInt(4) > 0) await deadline('the file to grow', grows())
  await new Promise((resolve) => setTimeout(resolve, randomInt(0, 250)))
  assert.ok(reader.isRunning, 'the reader was alive')
  await reader.kill()
}

test('on a terminal, --output rewrites the status in place', {
  skip: process.platform !== 'linux' && 'it needs the script of util-linux'
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 10))
  const args = ['--local', '--storage', sandbox.path('reader'), '--output', sandbox.path('copy'), '--exit']
  const command = [process.execPath, builtFile('reader'), ...args, writer.key].join(' ')
  const terminal = spawn('script', ['-qec', `exec ${command}`, '/dev/null'], { env: sandbox.env })
  atEnd(t, () => terminal.kill('SIGKILL'))
  const screen = new Output('the terminal', terminal.stdout)
  assert.deepEqual(await deadline('its end', once(terminal, 'close')), [0, null], screen.text)
  // not in a line of its own
  assert.match(stripVTControlCharacters(screen.text), /\rreader: finding peers/)
})

test(`a file has every line of the log exactly once after its reader was killed ${KILLS} times`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 1000))
  const path = sandbox.path('copy')
  const stop = publishOn(writer, path)
  for (let kill = 0; kill < KILLS; kill++) await killOnce(sandbox, writer.key, path)
  await stop()
  const { stdout } = await ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit'] }))
  assert.equal(stdout.length, 0)
  const expected = Buffer.from(linesOf(0, writer.length).join(''))
  const found = await readFile(path)
  t.diagnostic(`${writer.length} lines, ${found.byteLength} bytes, ${KILLS} kills`)
  assert.ok(found.equals(expected), `${found.byteLength} bytes, not the ${expected.byteLength} expected`)
})

test('a file starts at the position of the first run, whatever later runs ask for', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const path = sandbox.path('copy')
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--tail', '10', '--count', '4'] }))
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 94).join(''))
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--tail', '2', '--exit'] }))
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 100).join(''))
  const { stdout } = await ended(sandbox.reader(writer.key, { args: ['--raw', '--exit'] }))
  assert.equal(stdout.text, linesOf(0, 100).join(''), 'the group has another cursor')
})

test('a file that starts at the end of the log gets the later lines', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  for (const [name, beginning] of [
    ['a', ['--tail', '0']],
    ['b', ['--from', '-0']]
  ] as const) {
    const args = ['--output', sandbox.path(name), '--exit']
    await ended(sandbox.reader(writer.key, { args: [...beginning, ...args] }))
    await writer.publish(['later\n'])
    await ended(sandbox.reader(writer.key, { args }))
    assert.equal(await readFile(sandbox.path(name), 'utf8'), 'later\n')
  }
})

test('bytes after the committed length are cut off; with --format, too', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['a\n', 'b\n'])
  const path = sandbox.path('copy')
  const args = ['--output', path, '--format', '%o:%s;', '--exit']
  await ended(sandbox.reader(writer.key, { args }))
  await appendFile(path, 'written and not committed')
  await writer.publish(['c\n'])
  await ended(sandbox.reader(writer.key, { args }))
  assert.equal(await readFile(path, 'utf8'), '0:a;1:b;2:c;')
})

test('a file that the reader did not write is refused with 8, and stays as it is', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['a\n', 'b\n'])
  const own = sandbox.path('own')
  const foreign = sandbox.path('foreign')
  await writeFile(foreign, 'dear reader')
  await ended(sandbox.reader(writer.key, { args: ['--output', own, '--exit'] }))
  const refusals: [readonly string[], RegExp][] = [
    [['--output', foreign], /foreign: this reader did not write its 11 bytes/],
    [['--output', own, '--group', 'other'], /own: this reader did not write its 4 bytes/],
    [['--output', sandbox.path('.')], /cannot write/],
    [['--output', '/dev/null'], /not a regular file/],
    [['--output', sandbox.path('no/where')], /cannot write/]
  ]
  for (const [args, message] of refusals) {
    const { stderr } = await ended(sandbox.reader(writer.key, { args: [...args, '--exit'] }), 8)
    assert.match(stderr.text, message)
  }
  assert.equal(await readFile(foreign, 'utf8'), 'dear reader')
  await truncate(own, 3)
  const { stderr } = await ended(sandbox.reader(writer.key, { args: ['--output', own, '--exit'] }), 8)
  assert.match(stderr.text, /own: it has 3 bytes, but this reader wrote 4/)
})

/** A live reader, and its file with the first 100 lines, which are committed. */
async function startLive(sandbox: Sandbox, writer: Writer): Promise<{ reader: Program; path: string }> {
  const path = sandbox.path('copy')
  await writer.publish(linesOf(0, 100))
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit'] }))
  const reader = await sandbox.reader(writer.key, { args: ['--output', path] })
  await reader.stderr.says('live')
  return { reader, path }
}

async function reaches(path: string, lines: readonly string[]): Promise<void> {
  const poll = async (): Promise<void> => {
    while ((await sizeOf(path)) < Buffer.byteLength(lines.join(''))) await new Promise(setImmediate)
  }
  await deadline(`${path} to grow`, poll())
}

test('a second reader of one file exits with 7, and the first continues', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const path = sandbox.path('copy')
  // both find an empty file, which no reader has written
  const first = await sandbox.reader(writer.key, { args: ['--output', path] })
  await first.stderr.says('live')
  const second = await ended(sandbox.reader(writer.key, { args: ['--output', path], storage: 'second' }), 7)
  assert.match(second.stderr.text, /^reader: .*copy: another reader writes it\. Stop/m)
  await writer.publish(linesOf(0, 100))
  await reaches(path, linesOf(0, 100))
  first.signal('SIGTERM')
  await first.ends(143)
  assert.equal(await readFile(path, 'utf8'), linesOf(0, 100).join(''))
})

test('a file that was changed while no reader ran is refused with 8, and stays as it is', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const path = sandbox.path('copy')
  const args = ['--output', path, '--exit']
  await ended(sandbox.reader(writer.key, { args }))
  const content = await readFile(path, 'utf8')
  await copyFile(path, sandbox.path('kept'))
  await writer.publish(linesOf(100, 110))
  const { atime, mtime } = await stat(path)
  const changes: [() => Promise<unknown>, string | null, RegExp][] = [
    [
      () => writeFile(path, content.replace('1', '2')),
      content.replace('1', '2'),
      /are not what this reader wrote/
    ],
    [
      async () => {
        await writeFile(path, content.replace('1', '3'))
        await utimes(path, atime, mtime)
      },
      content.replace('1', '3'),
      /are not what this reader wrote/
    ],
    [
      async () => {
        await rename(path, sandbox.path('moved'))
        await writeFile(path, `a file of another program\n${content}`)
      },
      `a file of another program\n${content}`,
      /are not what this reader wrote/
    ],
    [() => writeFile(path, ''), '', /it has 0 bytes/],
    [() => rm(path), null, /this reader wrote it, and it is gone/]
  ]
  for (const [change, left, message] of changes) {
    await change()
    const { stderr } = await ended(sandbox.reader(writer.key, { args }), 8)
    assert.match(stderr.text, message)
    assert.equal(await readFile(path, 'utf8').catch(() => null), left)
  }
  // another file with the same content is as good
  await copyFile(sandbox.path('kept'), path)
  await ended(sandbox.reader(writer.key, { args }))
  assert.equal(await readFile(path, 'utf8'), linesOf(0, 110).join(''))
})

test('a file that is changed while a reader runs ends it with 8 at the next line, and nothing more is written', async (t) => {
  const changes: [string, (path: string) => Promise<void>, RegExp][] = [
    ['truncated', (path) => truncate(path), /it was truncated from \d+ to 0 bytes/],
    ['appended to', (path) => appendFile(path, 'mine\n'), /another program wrote 5 bytes to it/],
    [
      'edited',
      async (path) => {
        await using file = await open(path, 'r+')
        await file.write('#', 0)
      },
      /are not what this reader wrote/
    ]
  ]
  for (const [name, change, message] of changes)
    await t.test(name, async (t) => {
      const sandbox = await Sandbox.open(t)
      const writer = await sandbox.openWriter()
      const { reader, path } = await startLive(sandbox, writer)
      await change(path)
      const changed = await readFile(path)
      await writer.publish(linesOf(100, 200))
      await reader.ends(8)
      assert.match(reader.stderr.text, message)
      assert.ok((await readFile(path)).equals(changed))
      const { position } = await cursorOf(sandbox, writer.key)
      assert.equal(position, 100)
      if (name === 'appended to') return
      await ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit'] }), 8)
    })
})

async function cursorOf(sandbox: Sandbox, key: string): Promise<{ position: number }> {
  const { stdout } = await ended(sandbox.reader(key, { command: 'cursors', args: ['--json'] }))
  return JSON.parse(stdout.lines[0] ?? '') as { position: number }
}

test('a file that is moved, replaced or deleted while a reader runs ends it with 8; moved back, it continues', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const { reader, path } = await startLive(sandbox, writer)
  await rename(path, `${path}.1`)
  await writeFile(path, '')
  await writer.publish(linesOf(100, 200))
  await reader.ends(8)
  assert.match(reader.stderr.text, /moved, deleted or replaced while this reader wrote it/)
  assert.equal(await sizeOf(path), 0)

  await rename(`${path}.1`, path)
  const again = await sandbox.reader(writer.key, { args: ['--output', path] })
  await reaches(path, linesOf(0, 200))
  assert.equal(await readFile(path, 'utf8'), linesOf(0, 200).join(''))
  await rm(path)
  await writer.publish(linesOf(200, 201))
  await again.ends(8)
  assert.equal(await sizeOf(path), 0)
})

test('touching a file, or moving a copy of it into its place, changes nothing', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const { reader, path } = await startLive(sandbox, writer)
  await utimes(path, new Date(0), new Date(0))
  await writer.publish(linesOf(100, 200))
  await reaches(path, linesOf(0, 200))
  reader.signal('SIGTERM')
  await reader.ends(143)
  await copyFile(path, `${path}.new`)
  await rename(`${path}.new`, path)
  await writer.publish(linesOf(200, 300))
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit'] }))
  assert.equal(await readFile(path, 'utf8'), linesOf(0, 300).join(''))
})

test('a symbolic link to a file that does not exist yet works, at every start', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await symlink('second', sandbox.path('link'))
  await symlink(sandbox.path('target'), sandbox.path('second'))
  for (const end of [10, 20, 30]) {
    await writer.publish(linesOf(end - 10, end))
    await ended(sandbox.reader(writer.key, { args: ['--output', sandbox.path('link'), '--exit'] }))
    assert.equal(await readFile(sandbox.path('target'), 'utf8'), linesOf(0, end).join(''))
  }
  await symlink('loop', sandbox.path('loop'))
  await ended(sandbox.reader(writer.key, { args: ['--output', sandbox.path('loop'), '--exit'] }), 8)
})

test('a file that was begun with another form or other cores is refused with 2; a new --from is reported', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['1\n', 'long line\n'])
  const path = sandbox.path('copy')
  const write = (code: number, ...args: readonly string[]): Promise<Program> =>
    ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit', ...args] }), code)
  await write(0, '--only', 'short')
  for (const args of [
    [],
    ['--only', 'long'],
    ['--only', 'short', '--json'],
    ['--only', 'short', '--format', '%s']
  ]) {
    const { stderr } = await write(2, ...args)
    assert.match(stderr.text, /copy was begun with --raw and core short, and now is .*: use the same options/)
  }
  assert.equal(await readFile(path, 'utf8'), '1\n')
  await writer.publish(['2\n'])
  const { stderr } = await write(0, '--except', 'long', '--raw', '--tail', '1')
  assert.match(stderr.text, /copy was begun before: --from, --tail and --since apply to a new file/)
  assert.match(stderr.text, /continuing at 2$/m)
  assert.equal(await readFile(path, 'utf8'), '1\n2\n')
})

test('a new file with --only and --tail starts at the last lines of these cores', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['1\n', '2\n', '3\n', ...linesOf(0, 100).map((line) => `long ${line}`)])
  const path = sandbox.path('copy')
  await ended(
    sandbox.reader(writer.key, { args: ['--output', path, '--only', 'short', '--tail', '2', '--exit'] })
  )
  assert.equal(await readFile(path, 'utf8'), '2\n3\n')
})

test('--output - is a usage error, and creates no file', async (t) => {
  const sandbox = await Sandbox.open(t)
  const env = { INIT_CWD: sandbox.path('home') }
  const { stderr } = await ended(sandbox.reader('ab'.repeat(32), { args: ['--output', '-'], env }), 2)
  assert.match(stderr.text, /'-' is not a file: leave out --output/)
  assert.deepEqual(await readdir(sandbox.path('home')), [])
})
