import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { keyToBytes } from '@many-cores/protocol'
import { atEnd, DEADLINE_MS, deadline } from '@many-cores/testing'
import b4a from 'b4a'
import HyperDHT from 'hyperdht'
import createTestnet, { type Testnet } from 'hyperdht/testnet.js'
import { type Node, type NodeOptions, openReader, openWriter, type Status } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createLog, createMachine, type Machine, take } from '../testing/support.ts'

const NOBODYS_KEY = 'ab'.repeat(32)

async function openTestnet(t: TestContext, port = 0): Promise<Testnet> {
  const testnet = await createTestnet(3, { host: '127.0.0.1', port })
  atEnd(t, () => deadline('the DHT to end', testnet.destroy()))
  return testnet
}

/** A node that meets others over the DHT alone: as if it had a machine of its own. */
function openApart(
  machine: Machine,
  name: string,
  port: number | undefined,
  options: Partial<NodeOptions> = {}
): Promise<Node> {
  return machine.open(name, {
    local: false,
    bootstrap: [`127.0.0.1:${port}`],
    rendezvous: join(machine.directory, `meet-${name}`),
    ...options
  })
}

/** Not one that a DHT node takes for itself when it may choose. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

async function until(what: string, condition: () => boolean): Promise<void> {
  await deadline(
    what,
    (async () => {
      while (!condition()) await new Promise((resolve) => setImmediate(resolve))
    })()
  )
}

test('peers meet over a private DHT; readers announce the log, too, and no core but its bootstrap core', async (t) => {
  const testnet = await openTestnet(t)
  const [{ port } = { port: 0 }] = testnet.bootstrap
  const machine = await createMachine(t)
  const writer = await openWriter(await openApart(machine, 'w', port))
  await writer.publish(['over the DHT\n', 'ab\n'])
  const log = createLog()
  const node = await openApart(machine, 'r', port, { onStatus: log.onStatus })
  const reader = await deadline('the reader', openReader(node, writer.key))
  assert.deepEqual(await take(reader.batches(), 2), ['over the DHT\n', 'ab\n'])
  const connected = await log.until('connected')
  assert.equal(connected.state === 'connected' && connected.via, 'dht')

  const asker = testnet.createNode({ firewalled: false })
  const announcing = async (key: Uint8Array): Promise<Set<string>> => {
    const { store } = internalsOf(node)
    const core = store.get({ key })
    await core.ready()
    const found = new Set<string>()
    for await (const { peers } of asker.lookup(core.discoveryKey as Uint8Array)) {
      for (const { publicKey } of peers) found.add(b4a.toString(publicKey, 'hex'))
    }
    await core.close()
    return found
  }
  await deadline(
    'both announcements',
    (async () => {
      while ((await announcing(keyToBytes(writer.key))).size < 2);
    })()
  )
  for (const { key } of writer.manifest.cores) assert.deepEqual([...(await announcing(keyToBytes(key)))], [])
})

test('two on one machine that meet over the DHT, too, keep the connection that needs no network', async (t) => {
  const testnet = await openTestnet(t)
  const bootstrap = [`127.0.0.1:${testnet.bootstrap[0]?.port}`]
  const machine = await createMachine(t)
  const vias = new Map<string, string>()
  const onStatus = (status: Status): void => {
    if (status.state === 'connected') vias.set(status.peer, status.via)
  }
  const writing = await openApart(machine, 'w', testnet.bootstrap[0]?.port)
  const writer = await openWriter(writing)
  const node = await openApart(machine, 'r', testnet.bootstrap[0]?.port, { onStatus })
  await deadline('the reader', openReader(node, writer.key))
  assert.equal(vias.get(writing.id), 'dht')
  // a second reader meets both by both ways
  const both = await machine.open('b', {
    local: false,
    bootstrap,
    rendezvous: join(machine.directory, 'meet-w'),
    onStatus
  })
  vias.clear()
  await deadline('the second reader', openReader(both, writer.key))
  await until('the local connection', () => vias.get(writing.id) === 'local')
  await until('one connection to each', () => both.peers === 2)
  await writer.publish(['once\n'])
  const reader = await openReader(both, writer.key)
  assert.deepEqual(await take(reader.batches({ from: 'start' }), 1), ['once\n'])
})

test('a DHT that comes later is found within five seconds, without a restart', async (t) => {
  const port = await freePort()
  const machine = await createMachine(t)
  const log = createLog()
  const writer = await openWriter(await openApart(machine, 'w', port, { onStatus: log.onStatus }))
  await writer.publish(['patience\n'])
  const node = await openApart(machine, 'r', port)
  const opening = openReader(node, writer.key, { timeout: 60_000 })
  const unreachable = await log.until('unreachable')
  assert.match(
    unreachable.state === 'unreachable' ? unreachable.reason : '',
    /127\.0\.0\.1:\d+ does not answer/
  )

  await openTestnet(t, port)
  const began = performance.now()
  await deadline('the reader', opening)
  const took = performance.now() - began
  assert.ok(took < 10_000, `${took} ms`)
  await log.until('reachable')
})

test('a DHT whose nodes are all restarted is told again by those who are connected, within five seconds', async (t) => {
  const port = await freePort()
  const before = await createTestnet(3, { host: '127.0.0.1', port })
  const machine = await createMachine(t)
  const writer = await openWriter(await openApart(machine, 'w', port))
  await writer.publish(['remembered\n'])
  await deadline('the first reader', openReader(await openApart(machine, 'r', port), writer.key))
  await before.destroy()
  await openTestnet(t, port)

  const late = await openApart(machine, 'late', port)
  const began = performance.now()
  const reader = await deadline('the second reader', openReader(late, writer.key))
  const took = performance.now() - began
  assert.deepEqual(await take(reader.batches(), 1), ['remembered\n'])
  t.diagnostic(`${Math.round(took)} ms`)
  assert.ok(took < 10_000, `${took} ms`)
})

test('the first look for a log is waited for, whichever of a node’s logs it is: who announces it is connected then', async (t) => {
  const testnet = await openTestnet(t)
  const port = testnet.bootstrap[0]?.port
  const machine = await createMachine(t)
  const look = async (node: Node, key: string): Promise<void> => {
    const { store, join: find, looked } = internalsOf(node)
    const core = store.get({ key: b4a.from(key, 'hex') })
    await core.ready()
    await find(core)
    await looked(core, DEADLINE_MS)
  }
  const node = await openApart(machine, 'a', port)
  for (const [index, key] of [NOBODYS_KEY, 'cd'.repeat(32)].entries()) {
    await look(await openApart(machine, `announcing${index}`, port), key)
    await look(node, key)
    assert.equal(node.peers, index + 1)
  }
})

test('a reader that finds nobody says what was tried: no DHT, no announcement, no answer, no such log', async (t) => {
  const testnet = await openTestnet(t)
  const port = testnet.bootstrap[0]?.port
  const machine = await createMachine(t)
  const why = async (name: string, key: string, at: number | undefined): Promise<string> => {
    const node = await openApart(machine, name, at)
    const error: unknown = await openReader(node, key, { timeout: 2500 }).catch((error: unknown) => error)
    await node.close()
    assert.ok(error instanceof Error && 'code' in error && error.code === 'NOT_FOUND', String(error))
    assert.match(error.message, /^Could not connect to the writer peer: /)
    return error.message
  }
  assert.match(await why('a', NOBODYS_KEY, 9), /the DHT at 127\.0\.0\.1:9 does not answer/)
  assert.match(await why('b', NOBODYS_KEY, port), /nobody announces this key over the DHT/)

  // somebody who announced the log and died
  const asker = testnet.createNode({ firewalled: false })
  const node = await openApart(machine, 'c', port)
  const core = internalsOf(node).store.get({ key: b4a.from(NOBODYS_KEY, 'hex') })
  await core.ready()
  const topic = core.discoveryKey as Uint8Array
  await asker.announce(topic, HyperDHT.keyPair()).finished()
  await node.close()
  assert.match(
    await why('d', NOBODYS_KEY, port),
    /a peer announces it over the DHT, but did not answer: PEER_NOT_FOUND/
  )

  // somebody who waits for the log as well
  const waiting = await openApart(machine, 'e', port)
  const opening = openReader(waiting, NOBODYS_KEY, { timeout: 0 }).catch(() => {})
  assert.match(await why('f', NOBODYS_KEY, port), /one peer answered/)
  await waiting.close()
  await opening
})

test('a relay is a key in any spelling', async (t) => {
  const machine = await createMachine(t)
  await assert.rejects(machine.open('r', { local: false, relay: 'nonsense' }), { code: 'BAD_KEY' })
  await assert.rejects(machine.open('r', { relay: NOBODYS_KEY }), { code: 'BAD_OPTION' })
  await machine.open('r', { local: false, bootstrap: ['127.0.0.1:9'], relay: NOBODYS_KEY.toUpperCase() })
})

test('close takes less than two seconds, while the DHT answers and while it does not', async (t) => {
  const testnet = await openTestnet(t)
  const machine = await createMachine(t)
  for (const port of [testnet.bootstrap[0]?.port, 9]) {
    const node = await openApart(machine, `w${port}`, port)
    await openWriter(node)
    const began = performance.now()
    await deadline('close', node.close())
    assert.ok(performance.now() - began < 2000, `${port}: ${performance.now() - began} ms`)
  }
})
