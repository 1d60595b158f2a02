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

const HAD = numberedLines(0, 20)

interface Scene {
  readonly sandbox: Sandbox
  readonly dht: Loopback
  readonly key: string
  /** Has printed 20 lines, and waits for more. */
  readonly reader: Program
}

/** A log of 20 lines, each a batch of its own; its writer has left, and the store is `original`. */
async function openScene(t: TestContext): Promise<Scene> {
  const sandbox = await Sandbox.open(t)
  const dht = await openLoopback(t)
  const writer = await sandbox.writer({ storage: 'original', bootstrap: dht.address })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { bootstrap: dht.address, args: ['--raw'] })
  // each a batch of its own
  for (const [index, line] of (HAD.match(/.*\n/g) ?? []).entries()) {
    await writer.write(line)
    await reader.stdout.firstLines(index + 1)
  }
  writer.signal('SIGTERM')
  await writer.ends(143)
  return { sandbox, dht, key, reader }
}

/** The owner's keys in plain hands. */
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

/** It has ended with 5, in one line that names core and length, and with what it had on standard output. */
async function assertStopped(reader: Program, core: string): Promise<void> {
  await reader.ends(5)
  assert.equal(reader.stdout.text, HAD)
  assert.match(
    reader.stderr.text,
    new RegExp(`^reader: this log has forked.* core ${core} .* length \\d+`, 'm')
  )
  assert.doesNotMatch(reader.stderr.text, /hypercore\]|^(reader: )? +at /m)
}

/** The lines that its store gives when it is started again, without anybody. */
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
  test(`a core that is truncated and written anew: 5, naming it, and what was there stays (${core})`, async (t) => {
    const scene = await openScene(t)
    const owner = await openOwner(t, scene.sandbox.path('original'))
    const rewritten = owner.get({ name: alias })
    await rewritten.ready()
    await rewritten.truncate(5)
    await rewritten.append(Array.from({ length: 40 }, () => b4a.from('another history\n')))
    await serve(owner, scene.dht, scene.key)
    await assertStopped(scene.reader, core)
    assert.equal(await linesKept(scene), HAD)
  })

  test(`a core that two stores with one key have continued: 5, naming it, and what was there stays (${core})`, async (t) => {
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
    const had = `${HAD}one more, which the copy does not have\n`
    assert.equal(reader.stdout.text, had)
    assert.match(reader.stderr.text, new RegExp(`two versions of core ${core} .* length \\d+`))
    assert.doesNotMatch(reader.stderr.text, /hypercore\]/)
    assert.equal(await linesKept(scene), had)
    // nor does the writer go on: whatever it appended, nobody would take
    await writer.ends(5)
    assert.match(writer.stderr.text, new RegExp(`two versions of core ${core}`))
  })
}
