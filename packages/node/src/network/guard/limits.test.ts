import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import SecretStream from '@hyperswarm/secret-stream'
import { atEnd, deadline } from '@many-cores/testing'
import createTestnet from 'hyperdht/testnet.js'
import { type Node, openReader, openWriter, type Status } from '../../index.ts'
import { internalsOf } from '../../internals.ts'
import { createMachine, take } from '../../testing/support.ts'
import { createPeers, type Peers, type PeersOptions } from '../peers.ts'

/** Calls every two seconds would be seven. */
const CALLING_MS = 15_000

const UNKNOWN_KEY = 'ab'.repeat(32)

/** A DHT on loopback. */
async function bootstrapOf(t: TestContext): Promise<readonly string[]> {
  const testnet = await createTestnet(3, { host: '127.0.0.1' })
  atEnd(t, () => testnet.destroy())
  return [`127.0.0.1:${testnet.bootstrap[0]?.port}`]
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const wait = async (): Promise<void> => {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
  }
  await deadline(what, wait())
}

/** One end of a connection to an authenticated peer. */
function connection(t: TestContext): SecretStream {
  return pair(t)[0]
}

/** Both ends of a connection. */
function pair(t: TestContext): readonly [SecretStream, SecretStream] {
  const ends = [new SecretStream(true), new SecretStream(false)] as const
  atEnd(t, () => {
    for (const stream of ends) stream.destroy()
  })
  for (const stream of ends) stream.on('error', () => {})
  const [near, far] = ends.map((stream) => stream.rawStream as unknown as NodeJS.ReadWriteStream)
  if (near !== undefined) far?.pipe(near).pipe(far)
  return ends
}

/** The peers of a node that have connections from a test. */
function peersOf(t: TestContext, node: Node, options: Partial<PeersOptions>): Peers {
  const { store, wal, heads, damage } = internalsOf(node)
  const peers = createPeers(store, {
    id: node.id,
    allow: null,
    maxPeers: 8,
    serving: { wal, heads, damage },
    onStatus: () => {},
    ondisconnected: () => {},
    ...options
  })
  atEnd(t, () => peers.close())
  return peers
}

test('a full node refuses all peers except the log’s writer on this machine', async (t) => {
  const node = await (await createMachine(t)).open('r')
  const statuses: Status[] = []
  const peers = peersOf(t, node, { maxPeers: 1, onStatus: (status) => void statuses.push(status) })
  peers.add({ stream: connection(t), via: 'local' })
  await until('a peer', () => peers.count() === 1)
  peers.add({ stream: connection(t), via: 'local' })
  await until('a refusal', () => statuses.some(({ state }) => state === 'refused'))
  assert.equal(peers.count(), 1)
  peers.add({ stream: connection(t), via: 'local', isWriter: true })
  await until('the writer', () => peers.count() === 2)
})

test('a peer that disconnects is looked up again, unless it never shared a log', async (t) => {
  const machine = await createMachine(t)
  const [node, other] = [await machine.open('r'), await machine.open('w')]
  const lost: string[] = []
  const peers = peersOf(t, node, { ondisconnected: (peer) => void lost.push(peer) })
  const core = internalsOf(node).store.get({ name: 'shared' })
  await core.ready()
  const same = internalsOf(other).store.get({ key: core.key as Uint8Array })
  await same.ready()
  for (const isSharing of [false, true]) {
    const [near, far] = pair(t)
    if (isSharing) internalsOf(other).store.replicate(far)
    peers.add({ stream: near, via: 'lan' })
    await until('a peer', () => peers.count() === 1 && core.peers.length === (isSharing ? 1 : 0))
    far.destroy()
    await until('its end', () => peers.count() === 0)
    assert.equal(lost.length, isSharing ? 1 : 0)
  }
})

test('a full node drops a remote peer for one on the same machine', async (t) => {
  const bootstrap = await bootstrapOf(t)
  const machine = await createMachine(t)
  const statuses: Status[] = []
  const onStatus = (status: Status): void => void statuses.push(status)
  const network = { local: false, bootstrap }
  const writer = await openWriter(await machine.open('w', { ...network, maxPeers: 1, onStatus }))
  await writer.publish(['near\n'])
  const far = await machine.open('far', { ...network, rendezvous: join(machine.directory, 'elsewhere') })
  await deadline('the remote reader', openReader(far, writer.key))
  const near = await machine.open('near', { maxPeers: 1 })
  const reader = await deadline('the local reader', openReader(near, writer.key))
  assert.deepEqual(await take(reader.batches(), 1), ['near\n'])
  assert.ok(
    statuses.some(({ state, ...rest }) => state === 'disconnected' && 'peer' in rest && rest.peer === far.id)
  )
})

test('peers that a full node refuses do not call it every two seconds over the DHT', async (t) => {
  const bootstrap = await bootstrapOf(t)
  const machine = await createMachine(t)
  const apart = (name: string): object => ({
    local: false,
    bootstrap,
    rendezvous: join(machine.directory, `meet-${name}`)
  })
  const writer = await openWriter(await machine.open('w', { ...apart('w'), maxPeers: 1 }))
  await deadline('a reader', openReader(await machine.open('a', apart('a')), writer.key))
  let refusals = 0
  const onStatus = ({ state }: Status): void => {
    if (state === 'refused') refusals++
  }
  await deadline('another', openReader(await machine.open('b', { ...apart('b'), onStatus }), writer.key))
  // the calls within this time are what the test counts
  await new Promise((resolve) => setTimeout(resolve, CALLING_MS))
  assert.ok(refusals > 0 && refusals < 6, `${refusals} refusals`)
})

test('a node calls at most maxPeers peers over the DHT', async (t) => {
  const bootstrap = await bootstrapOf(t)
  const machine = await createMachine(t)
  const apart = (name: string): object => ({
    local: false,
    bootstrap,
    rendezvous: join(machine.directory, `meet-${name}`)
  })
  const writer = await openWriter(await machine.open('w', apart('w')))
  for (const name of ['a', 'b'])
    await deadline(name, openReader(await machine.open(name, apart(name)), writer.key))
  const called = new Set<string>()
  const onStatus = (status: Status): void => {
    if (status.state === 'connecting' && status.via === 'dht') called.add(status.peer)
  }
  const last = await machine.open('last', { ...apart('last'), maxPeers: 1, onStatus })
  await deadline('the last reader', openReader(last, writer.key))
  assert.ok(called.size <= 1, `${called.size} of 3 were called`)
})

test('without a writer, a reader calls eight others on its machine, not all', async (t) => {
  const count = 14
  const machine = await createMachine(t)
  const aborting = new AbortController()
  setMaxListeners(count, aborting.signal)
  const nodes: Node[] = []
  const openings: Promise<unknown>[] = []
  for (let number = 0; number < count; number++) {
    const node = await machine.open(`${number}`)
    openings.push(openReader(node, UNKNOWN_KEY, { timeout: 0, signal: aborting.signal }).catch(() => {}))
    await until(`the peers of ${number}`, () => node.peers >= Math.min(number, 8))
    nodes.push(node)
  }
  const connections = (): number => nodes.reduce((sum, node) => sum + node.peers, 0) / 2
  // the first nine are all connected, each of the others calls eight; if all called all, there would be 91
  const expected = 36 + 8 * (count - 9)
  await until('all connections', () => connections() >= expected)
  assert.equal(connections(), expected)
  aborting.abort()
  await Promise.all(openings)
})
