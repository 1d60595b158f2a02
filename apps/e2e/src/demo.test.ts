import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import { Output } from './harness/output.ts'

const [DEMO, SCREENS] = ['demo', 'screens'].map((name) =>
  fileURLToPath(new URL(`../../../scripts/${name}.mjs`, import.meta.url))
) as [string, string]
/** How long "at once" can take on a busy machine. */
const AT_ONCE_MS = 2000
const whyNoTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'script is not installed'

interface Demo {
  readonly child: ChildProcess
  readonly stdout: Output
  readonly stderr: Output
  readonly closed: Promise<unknown[]>
  /** The directory for its temporary files. */
  readonly directory: string
}

async function start(
  t: TestContext,
  [file, ...args]: readonly [string, ...string[]],
  env = {}
): Promise<Demo> {
  const directory = await temporary(t)
  const child = spawn(file, args, {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory, TMPDIR: directory, ...env },
    // Ctrl-C in a terminal goes to the whole process group
    detached: true
  })
  const closed = once(child, 'close')
  atEnd(t, async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await closed
  })
  const [stdout, stderr] = [new Output('stdout', child.stdout), new Output('stderr', child.stderr)]
  return { child, stdout, stderr, closed, directory }
}

/** The processes with `text` in their command line. */
async function processesWith(text: string): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(text))
}

for (const shown of [1, 5, 8, 12, 16]) {
  test(`Ctrl-C after line ${shown} of the demo ends it at once with 130, and leaves nothing behind`, async (t) => {
    const { child, stdout, stderr, closed, directory } = await start(t, [process.execPath, DEMO])
    await stdout.until(`line ${shown}`, () => stdout.lines.length >= shown)
    process.kill(-Number(child.pid), 'SIGINT')
    const [code] = await deadline('the end', closed, AT_ONCE_MS)
    assert.equal(code, 130)
    assert.equal(stderr.text, '')
    assert.deepEqual(await readdir(directory), [])
    assert.deepEqual(await processesWith(directory), [])
  })
}

test('the demo ends if nothing reads its output, and leaves nothing behind', async (t) => {
  const { child, stdout, stderr, closed, directory } = await start(t, [process.execPath, DEMO])
  await stdout.until('a line', () => stdout.lines.length >= 1)
  child.stdout?.destroy()
  await deadline('the end', closed)
  assert.equal(stderr.text, '')
  assert.deepEqual(await readdir(directory), [])
  assert.deepEqual(await processesWith(directory), [])
})

test('the demo is for 80 columns, in color on a terminal only, and not with NO_COLOR', {
  skip: whyNoTerminal
}, async (t) => {
  const onTerminal: [string, ...string[]] = ['script', '-qec', `${process.execPath} ${DEMO}`, '/dev/null']
  const TERM = 'xterm-256color'
  const demos = [
    await start(t, onTerminal, { TERM }),
    await start(t, onTerminal, { TERM, NO_COLOR: '1' }),
    await start(t, [process.execPath, DEMO], { TERM })
  ]
  for (const { closed, directory } of demos) {
    assert.deepEqual(await deadline('the demo', closed), [0, null])
    assert.deepEqual(await readdir(directory), [])
  }
  const texts = demos.map(({ stdout }) => stdout.text)
  assert.deepEqual(
    texts.map((text) => text.includes('\x1b[')),
    [true, false, false]
  )
  for (const line of texts[2]?.split('\n') ?? []) assert.ok(line.length <= 80, line)
})

test('the screens of the programs can be recorded again: plain text, as wide as the terminal, without keys', {
  skip: whyNoTerminal
}, async (t) => {
  const { stderr, closed, directory } = await start(t, [process.execPath, SCREENS, 'screens', '20000'])
  const [code] = await deadline('the recording', closed)
  assert.equal(code, 0, stderr.text)
  assert.deepEqual(await readdir(directory), ['screens'])
  for (const columns of [80, 120])
    for (const name of ['demo', 'live', 'sync']) {
      const text = await readFile(join(directory, 'screens', `${name}-${columns}.txt`), 'utf8')
      assert.ok(!text.includes('\x1b'), text)
      assert.doesNotMatch(text, /\r|[0-9a-f]{16}/)
      for (const line of text.split('\n')) assert.ok(line.length <= columns, line)
      assert.ok(text.split('\n').length > 4, text)
    }
})
