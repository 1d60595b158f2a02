import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import { type Loopback, openLoopback } from './harness/loopback.ts'
import type { Program } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

const PRINTED = numberedLines(0, 20)

interface Scene {
  readonly sandbox: Sandbox
  readonly dht: Loopback
  readonly key: string
  /** It has printed 20 lines, and waits for more. */
  readonly reader: Program
}

/** A log of 20 lines in 20 batches. Its writer has exited; its store is `original`. */
async function openScene(t: TestContext): Promise<Scene> {
  const sandbox = await Sandbox.open(t)
  const dht = await openLoopback(t)
  const writer = await sandbox.writer({ storage: 'original', bootstrap: dht.address })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { bootstrap: dht.address, args: ['--raw'] })
  // one line per batch
  for (const [index, line] of (PRINTED.match(/.*\n/g) ?? []).entries()) {
    await writer.write(line)
    await reader.stdout.firstLines(index + 1)
  }
  writer.signal('SIGTERM')
  await writer.ends(143)
  return { sandbox, dht, key, reader }
}

/** Opens a writer's store, with its keys, in plain Corestore. */
async function openOwner(t: TestContext, path: string): Promise<Corestore> {
  const store = new Corestore(path, { allowBackup: true })
  atEnd(t, () => store.close())
  await store.ready()
  return store
}

async function serve(store: Corestore, dht: Loopback, key: string): Promise<void> {
  const bootstrap = store.get({ key: b4a.from(key, 'hex') })
  await bootstrap.ready()
  await dht.serve(store, bootstrap.discoveryKey as Uint8Array)
}

/** Checks that the reader has printed the original log, and exits with 5 and a line with core and length. */
async function assertStopped(reader: Program, core: string): Promise<void> {
  await reader.ends(5)
  assert.equal(reader.stdout.text, PRINTED)
  assert.match(
    reader.stderr.text,
    new RegExp(`^reader: this log has forked.* core ${core} .* length \\d+`, 'm')
  )
  assert.doesNotMatch(reader.stderr.text, /hypercore\]|^(reader: )? +at /m)
}

/** The lines that a restarted reader prints from its store, without peers. */
async function linesKept({ sandbox, key }: Scene): Promise<string> {
  const again = await sandbox.reader(key, {
    args: ['--raw', '--from', 'start', '--exit', '--timeout', '1', '--group', 'again']
  })
  await again.ends(5)
  return again.stdout.text
}

for (const [core, alias] of [
  ['bootstrap', 'core-1'],
  ['long', 'core-3']
] as const) {
  test(`a core that is truncated and continued in another way: 5 and its name, and the old lines stay (${core})`, async (t) => {
    const scene = await openScene(t)
    const owner = await openOwner(t, scene.sandbox.path('original'))
    const truncated = owner.get({ name: alias })
    await truncated.ready()
    await truncated.truncate(5)
    await truncated.append(Array.from({ length: 40 }, () => b4a.from('another history\n')))
    await serve(owner, scene.dht, scene.key)
    await assertStopped(scene.reader, core)
    assert.equal(await linesKept(scene), PRINTED)
  })

  test(`a core that two stores with one key have continued: 5 and its name, and the old lines stay (${core})`, async (t) => {
    const scene = await openScene(t)
    const { sandbox, dht, key, reader } = scene
    await cp(sandbox.path('original'), sandbox.path('copy'), { recursive: true })
    const writer = await sandbox.writer({ storage: 'original', bootstrap: dht.address })
    await writer.write('one more, which the copy does not have\n')
    await reader.stdout.firstLines(21)
    const owner = await openOwner(t, sandbox.path('copy'))
    const forked = owner.get({ name: alias })
    await forked.append(Array.from({ length: 3 }, () => b4a.from('another history\n')))
    await serve(owner, dht, key)
    await reader.ends(5)
    const printed = `${PRINTED}one more, which the copy does not have\n`
    assert.equal(reader.stdout.text, printed)
    assert.match(reader.stderr.text, new RegExp(`two versions of core ${core} .* length \\d+`))
    assert.doesNotMatch(reader.stderr.text, /hypercore\]/)
    assert.equal(await linesKept(scene), printed)
    // the writer stops, too: no peer would accept what it appends
    await writer.ends(5)
    assert.match(writer.stderr.text, new RegExp(`two versions of core ${core}`))
  })
}
