import assert from 'node:assert/strict'
import { open, readdir, readFile, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { assertNoStack } from './harness/assertions.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** The kinds of damage that a file gets. `DAMAGE=all` for all of them. */
function kindsFor(name: string): string[] {
  if (process.env.DAMAGE === 'all') return ['flipped', 'cut in half', 'empty', 'gone', 'zeroed']
  return name.endsWith('.log') ? ['flipped', 'cut in half'] : ['flipped']
}

/** The kinds of files in a store. */
const FILES = [
  /^db\/\d+\.sst$/,
  /^db\/\d+\.blob$/,
  /^db\/\d+\.log$/,
  /^db\/CURRENT$/,
  /^db\/MANIFEST-/,
  /^db\/OPTIONS-/,
  /^db\/IDENTITY$/,
  /^DATABASE$/
]

/** Bound to its inode: a copy of this file would not be accepted. */
const MARK = 'CORESTORE'

/** Fewer than four: RocksDB compacts four tables, and refuses writes if one of them is damaged. */
const ROUNDS = 2

/** Short lines, and some that are long enough for RocksDB to store their blocks in blob files. */
function linesOf(round: number): string {
  return Array.from(
    { length: 60 },
    (_, line) => `${round} ${line} ${'x'.repeat(line % 20 === 7 ? 9000 : line % 50)}\n`
  ).join('')
}

const ALL = Array.from({ length: ROUNDS }, (_, round) => linesOf(round)).join('')

/** The files of a closed store, to restore them later. */
class Snapshot {
  readonly #directory: string
  readonly files = new Map<string, Buffer>()

  static async of(directory: string): Promise<Snapshot> {
    const snapshot = new Snapshot(directory)
    for (const name of await plainFiles(directory))
      snapshot.files.set(name, await readFile(join(directory, name)))
    return snapshot
  }

  private constructor(directory: string) {
    this.#directory = directory
  }

  async restore(): Promise<void> {
    for (const name of await plainFiles(this.#directory))
      if (name !== MARK) await unlink(join(this.#directory, name))
    for (const [name, bytes] of this.files)
      if (name !== MARK) await writeFile(join(this.#directory, name), bytes, { mode: 0o600 })
  }

  /** The files to damage: the oldest and the newest of each kind. */
  targets(): string[] {
    // an empty file has nothing to damage
    const names = [...this.files.keys()].filter((name) => this.files.get(name)?.length).sort()
    const found = FILES.flatMap((kind) => {
      const own = names.filter((name) => kind.test(name))
      return own.length > 1 ? [own[0] ?? '', own.at(-1) ?? ''] : own
    })
    assert.ok(found.some((name) => name.endsWith('.log')))
    return [...new Set(found)]
  }

  async damage(name: string, kind: string): Promise<void> {
    const path = join(this.#directory, name)
    const { size } = await stat(path)
    if (kind === 'gone') return await unlink(path)
    if (kind === 'empty') return await truncate(path, 0)
    if (kind === 'cut in half') return await truncate(path, size >> 1)
    const bytes = Buffer.from(this.files.get(name) ?? '')
    if (kind === 'flipped') bytes.writeUInt8(bytes.readUInt8(size >> 1) ^ 0x10, size >> 1)
    if (kind === 'zeroed') bytes.fill(0, size >> 2, size >> 1)
    await using file = await open(path, 'r+')
    await file.write(bytes, 0, size, 0)
  }
}

async function plainFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
}

interface Stores {
  readonly sandbox: Sandbox
  readonly key: string
  readonly writer: Snapshot
  readonly reader: Snapshot
}

/** A writer's and a reader's store with the same lines, in tables, blobs and the log of the database. */
async function openStores(t: TestContext): Promise<Stores> {
  const sandbox = await Sandbox.open(t)
  let key = ''
  for (let round = 0; round < ROUNDS; round++) {
    const lines = linesOf(round)
    const writer = await sandbox.writer()
    key = await keyOf(writer)
    const reader = await sandbox.reader(key, { args: ['--raw'] })
    await writer.write(lines)
    await reader.stdout.until(`round ${round}`, () => reader.stdout.length >= lines.length)
    // a clean shutdown moves lines from the database's log into a table; the last round stays in the log
    for (const program of [reader, writer]) {
      if (round === ROUNDS - 1) {
        await program.kill()
        continue
      }
      program.signal('SIGTERM')
      await program.ends(143)
    }
  }
  return {
    sandbox,
    key,
    writer: await Snapshot.of(sandbox.path('writer')),
    reader: await Snapshot.of(sandbox.path(`reader/logs/${key}`))
  }
}

test('a writer with any damaged file in its store says so and exits with 8, or continues without a fork', async (t) => {
  const { sandbox, key, writer: stored, reader: copied } = await openStores(t)
  const codes = { 0: 0, 8: 0 }
  for (const name of stored.targets()) {
    for (const kind of kindsFor(name)) {
      const what = `${name} ${kind}`
      await Promise.all([stored.restore(), copied.restore()])
      await stored.damage(name, kind)
      const reader = await sandbox.reader(key, { args: ['--raw', '--from', 'start'] })
      await reader.stdout.until(`all lines: ${what}`, () => reader.stdout.length >= ALL.length)
      const writer = await sandbox.writer({ args: ['--exit'] })
      writer.end('more\n')
      const code = await writer.exitCode(what)
      assert.ok(code === 0 || code === 8, `${what}: ${code} ${writer.stderr.text}`)
      codes[code]++
      assertNoStack(writer, what)
      if (code === 0) {
        // it may have exited before the reader had the new line: another writer serves it
        const server = await sandbox.writer()
        await reader.stdout.until(`the new line: ${what}`, () => reader.stdout.length > ALL.length)
        await server.kill()
      }
      assert.ok(reader.stdout.text === (code === 0 ? `${ALL}more\n` : ALL), `${what}: other lines arrived`)
      await reader.kill()
    }
  }
  t.diagnostic(`${codes[8]} refused, ${codes[0]} continued`)
})

test('a reader with any damaged file in its store prints every line, and rebuilds the store from peers if necessary', async (t) => {
  const { sandbox, key, reader: stored } = await openStores(t)
  const writer = await sandbox.writer()
  await keyOf(writer)
  let rebuilt = 0
  for (const name of stored.targets()) {
    for (const kind of kindsFor(name)) {
      const what = `${name} ${kind}`
      await stored.restore()
      await stored.damage(name, kind)
      const reader = await sandbox.reader(key, { args: ['--raw', '--exit', '--from', 'start'] })
      await reader.ends(0).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`))
      assert.ok(reader.stdout.text === ALL, `${what}: ${reader.stdout.length} of ${ALL.length} bytes`)
      assertNoStack(reader, what)
      if (/rebuilding it from peers/.test(reader.stderr.text)) {
        rebuilt++
        await putBack(sandbox, key)
      }
    }
  }
  t.diagnostic(`${rebuilt} rebuilt`)
  assert.ok(rebuilt > 0)
})

test('a reader whose database is missing gets its lines again, and continues at its cursor', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write('a line\n')
  const first = await sandbox.reader(key, { args: ['--raw'] })
  await first.stdout.firstLines(1)
  first.signal('SIGTERM')
  await first.ends(143)
  await rm(sandbox.path(`reader/logs/${key}/db`), { recursive: true })
  const verify = await sandbox.reader(key, { command: 'verify' })
  await verify.ends(8)
  await writer.write('another\n')
  const again = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await again.ends(0)
  assert.equal(again.stdout.text, 'another\n')
  const all = await sandbox.reader(key, { args: ['--raw', '--exit', '--from', 'start'] })
  await all.ends(0)
  assert.equal(all.stdout.text, 'a line\nanother\n')
  await putBack(sandbox, key)
})

/** Moves the damaged store that was put aside back, since its `MARK` cannot be copied. */
async function putBack(sandbox: Sandbox, key: string): Promise<void> {
  const logs = sandbox.path('reader/logs')
  const aside = (await readdir(logs)).filter((name) => name.startsWith(`${key}.damaged-`))
  assert.equal(aside.length, 1)
  await rm(join(logs, key), { recursive: true })
  await rename(join(logs, aside[0] ?? ''), join(logs, key))
}
