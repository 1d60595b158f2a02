import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import HyperDHT from 'hyperdht'
import { underLoad } from '../harness/load.ts'
import { openLoopback } from '../harness/loopback.ts'
import { UNKNOWN_KEY } from '../harness/samples.ts'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'

const TIMEOUT_S = 2

/** The last message of a reader of `key`, which exits with `code` at most a second after `--timeout`. */
async function reasonOf(sandbox: Sandbox, key: string, code: number, options: StartOptions): Promise<string> {
  const reader = await sandbox.reader(key, {
    args: ['--timeout', String(TIMEOUT_S)],
    env: { MANY_CORES_RENDEZVOUS: sandbox.path('apart') },
    ...options
  })
  await reader.stderr.until('a message', () => reader.stderr.length > 0)
  const began = performance.now()
  await reader.ends(code)
  const took = performance.now() - began
  assert.ok(took < underLoad((TIMEOUT_S + 1) * 1000), `${took} ms`)
  assert.equal(reader.stdout.text, '')
  return reader.stderr.lines.at(-1) ?? ''
}

async function openStore(t: TestContext, directory: string): Promise<Corestore> {
  const store = new Corestore(directory)
  atEnd(t, () => store.close())
  await store.ready()
  return store
}

test('each reason why a log is not found has its own message and exit code, within the timeout + 1 s', async (t) => {
  const dht = await openLoopback(t)
  const sandbox = await Sandbox.open(t)
  const bootstrap = dht.address
  const store = await openStore(t, sandbox.path('elsewhere'))
  const reasons: Record<string, string> = {}

  reasons.local = await reasonOf(sandbox, UNKNOWN_KEY, 3, {})
  assert.match(
    reasons.local,
    /: no process of this user on this machine serves this log \(looked in \S+\) \(--local: nothing else was searched\)/
  )

  reasons.unreachable = await reasonOf(sandbox, UNKNOWN_KEY, 3, { bootstrap: '127.0.0.77:9' })
  assert.match(reasons.unreachable, /the DHT at 127\.0\.0\.77:9 does not answer/)

  reasons.unannounced = await reasonOf(sandbox, UNKNOWN_KEY, 3, { bootstrap })
  assert.match(reasons.unannounced, /no peer announces it on the DHT/)

  // announced by a peer that was killed since
  const dead = store.get({ name: 'dead' })
  await dead.ready()
  const announcer = new HyperDHT({ bootstrap: [bootstrap], host: '127.0.0.1', firewalled: false })
  atEnd(t, () => announcer.destroy())
  await announcer.announce(dead.discoveryKey as Uint8Array, HyperDHT.keyPair()).finished()
  reasons.silent = await reasonOf(sandbox, hex(dead.key), 3, { bootstrap })
  assert.match(reasons.silent, /a peer announces it on the DHT but did not answer/)

  // served by a peer that does not have it
  const other = store.get({ name: 'other' })
  await other.ready()
  const empty = await openStore(t, sandbox.path('empty'))
  await dht.serve(empty, other.discoveryKey as Uint8Array)
  reasons.without = await reasonOf(sandbox, hex(other.key), 3, { bootstrap })
  assert.match(reasons.without, /one peer answered, but none has this log: is the key right\?/)

  // known to a peer that waits for it, too
  const begun = store.get({ name: 'begun' })
  await begun.ready()
  await dht.serve(store, begun.discoveryKey as Uint8Array)
  reasons.begun = await reasonOf(sandbox, hex(begun.key), 3, { bootstrap })
  assert.match(reasons.begun, /one peer answered and one knows the log, but no peer has its first block yet/)

  const wrong = store.get({ name: 'wrong', valueEncoding: 'json' })
  await wrong.append({ hello: 'world' })
  await dht.serve(store, wrong.discoveryKey as Uint8Array)
  reasons.wrong = await reasonOf(sandbox, hex(wrong.key), 5, { bootstrap })

  reasons.malformed = await reasonOf(sandbox, 'abc', 2, { bootstrap })

  const writer = await sandbox.writer()
  reasons.inUse = await reasonOf(sandbox, await keyOf(writer), 7, { storage: 'writer' })

  for (const [name, reason] of Object.entries(reasons)) t.diagnostic(`${name}: ${reason}`)
  assert.equal(new Set(Object.values(reasons)).size, Object.keys(reasons).length)
})

function hex(key: Uint8Array | null): string {
  return b4a.toString(key as Uint8Array, 'hex')
}
