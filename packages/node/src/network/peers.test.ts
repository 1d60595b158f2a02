import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import SecretStream from '@hyperswarm/secret-stream'
import { atEnd, deadline, until } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Peer } from 'hypercore'
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { type Node, type NodeOptions, openReader, openWriter, type Status } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createMachine, heldBytes, type Machine, take } from '../testing/support.ts'

/** The statuses of a node, and a way to wait for one. */
class Statuses {
  readonly all: Status[] = []
  readonly onStatus = (status: Status): void => void this.all.push(status)

  async until(what: string, matches: (status: Status) => boolean): Promise<Status> {
    const search = async (): Promise<Status> => {
      for (;;) {
        const found = this.all.find(matches)
        if (found !== undefined) return found
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    return await deadline(what, search())
  }
}

/** The networks over which two nodes can connect. */
const NETWORKS: Readonly<Record<string, (t: TestContext, machine: Machine) => Promise<Open>>> = {
  'a unix socket': async (_, machine) => (name, options) => machine.open(name, options),
  'a DHT': async (t, machine) => {
    const testnet = await createTestnet(3, { host: '127.0.0.1' })
    atEnd(t, () => testnet.destroy())
    const bootstrap = [`127.0.0.1:${testnet.bootstrap[0]?.port}`]
    return (name, options) =>
      machine.open(name, {
        local: false,
        bootstrap,
        rendezvous: join(machine.directory, `meet-${name}`),
        ...options
      })
  }
}

type Open = (name: string, options?: Partial<NodeOptions>) => Promise<Node>

/** The id of a store. */
async function idOf(open: Open, name: string): Promise<string> {
  const node = await open(name)
  await node.close()
  return node.id
}

for (const [network, connectable] of Object.entries(NETWORKS)) {
  test(`only peers that a writer allows get anything from it, over ${network}; the others get the reason`, async (t) => {
    const open = await connectable(t, await createMachine(t))
    const statuses = new Statuses()
    const allow = [(await idOf(open, 'friend')).toUpperCase()]
    const writing = await open('w', { allow, onStatus: statuses.onStatus })
    const writer = await openWriter(writing)
    await writer.publish(['for friends\n'])

    const stranger = await open('stranger')
    const error: unknown = await openReader(stranger, writer.key, { timeout: 2500 }).catch((e: unknown) => e)
    assert.ok(error instanceof Error && 'code' in error && error.code === 'NOT_FOUND', String(error))
    assert.match(
      error.message,
      /this reader's id is not on its --allow list: [0-9a-f]{64}|this reader's id may not be on its --allow list/
    )
    await stranger.close()
    assert.equal(writing.peers, 0)

    const reader = await deadline('the reader', openReader(await open('friend'), writer.key))
    assert.deepEqual(await take(reader.batches(), 1), ['for friends\n'])
    assert.ok(statuses.all.every((status) => status.state !== 'connected' || status.peer !== stranger.id))
  })

  test(`a reader that allows only its writer connects to no other peer, over ${network}`, async (t) => {
    const open = await connectable(t, await createMachine(t))
    const id = await idOf(open, 'w')
    const writer = await openWriter(await open('w'))
    await writer.publish(['a\n'])
    const other = await open('other')
    const reader = await openReader(other, writer.key)
    assert.deepEqual(await take(reader.batches(), 1), ['a\n'])

    const statuses = new Statuses()
    const careful = await open('careful', { allow: [id], onStatus: statuses.onStatus })
    const same = await deadline('the reader', openReader(careful, writer.key))
    assert.deepEqual(await take(same.batches(), 1), ['a\n'])
    assert.deepEqual(
      new Set(statuses.all.flatMap((status) => (status.state === 'connected' ? [status.peer] : []))),
      new Set([id])
    )
  })
}

test('a reader that finds only peers that it does not allow names one of them', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  const careful = await machine.open('r', { allow: ['ab'.repeat(32)] })
  await assert.rejects(
    openReader(careful, writer.key, { timeout: 1500 }),
    new RegExp(`not on this reader's --allow list: ${writing.id}`)
  )
})

test('a refusal is no longer a reason once the peer that refused has gone', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w', { allow: [] })
  const writer = await openWriter(writing)
  const node = await machine.open('r')
  await assert.rejects(openReader(node, writer.key, { timeout: 1000 }), { code: 'NOT_FOUND' })
  const { whyRefused } = internalsOf(node).peers
  assert.equal(whyRefused()?.reason, 'not-allowed')
  await writing.close()
  const expired = async (): Promise<void> => {
    while (whyRefused() !== null) await new Promise((resolve) => setImmediate(resolve))
  }
  await deadline('its end', expired(), SOON_MS * 2)
})

test('an invalid key is refused, and an empty list allows no peer', async (t) => {
  const machine = await createMachine(t)
  await assert.rejects(machine.open('w', { allow: ['nonsense'] }), { code: 'BAD_KEY' })
  for (const maxPeers of [0, -1, 1.5, Number.NaN])
    await assert.rejects(machine.open('w', { maxPeers }), { code: 'BAD_OPTION' })
  const writer = await openWriter(await machine.open('w', { allow: [] }))
  await assert.rejects(openReader(await machine.open('r'), writer.key, { timeout: 1500 }), {
    code: 'NOT_FOUND'
  })
})

test('a node has at most maxPeers peers, and other readers are served by readers', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w', { maxPeers: 2 })
  const writer = await openWriter(writing)
  await writer.publish(['to all\n'])
  for (const name of ['a', 'b', 'c', 'd']) {
    const reader = await deadline('the reader', openReader(await machine.open(name), writer.key))
    assert.deepEqual(await take(reader.batches(), 1), ['to all\n'])
    assert.ok(writing.peers <= 2)
  }
  assert.equal(writing.peers, 2)
})

/** Shorter than all timeouts for peers that only wait. */
const SOON_MS = 8000

/** The socket of the only process that listens for a log on `machine`. */
async function socketOf(machine: Machine): Promise<string> {
  const root = join(machine.directory, 'meet')
  const [log = ''] = await readdir(root)
  const [socket = ''] = await readdir(join(root, log))
  return join(root, log, socket)
}

/** A connection to a node's socket from a peer that knows no log. */
async function intrude(t: TestContext, path: string): Promise<{ socket: Socket; stream: SecretStream }> {
  const socket = connect(path)
  atEnd(t, () => socket.destroy())
  const stream = new SecretStream(true, socket, { keyPair: HyperDHT.keyPair() })
  stream.on('error', () => {})
  assert.equal(await deadline('the handshake', stream.opened), true)
  return { socket, stream }
}

test('a peer that shares no log makes room for one that does', async (t) => {
  const machine = await createMachine(t)
  const statuses = new Statuses()
  const writing = await machine.open('w', { maxPeers: 3, onStatus: statuses.onStatus })
  const writer = await openWriter(writing)
  const path = await socketOf(machine)
  for (let count = 0; count < 3; count++) await intrude(t, path)
  await statuses.until('three peers', (status) => status.state === 'connected' && status.peers === 3)
  const reader = await deadline('the reader', openReader(await machine.open('r'), writer.key))
  await writer.publish(['let in\n'])
  assert.deepEqual(await take(reader.batches(), 1), ['let in\n'])
})

test('a peer that shares no log and sends megabytes is disconnected', async (t) => {
  const machine = await createMachine(t)
  await openWriter(await machine.open('w'))
  const { socket, stream } = await intrude(t, await socketOf(machine))
  const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  // the start of a message of 16 MiB
  socket.write(Buffer.concat([Buffer.from([0xff, 0xff, 0xff]), Buffer.alloc(4 * 1024 * 1024)]))
  // long before its time is over
  await deadline('its end', ended, SOON_MS)
})

test('of too many connections without a handshake, the oldest are closed; so is one with a long handshake', async (t) => {
  const machine = await createMachine(t)
  await openWriter(await machine.open('w'))
  const path = await socketOf(machine)
  const silent = Array.from({ length: 200 }, () => connect(path))
  atEnd(t, () => silent.forEach((socket) => void socket.destroy()))
  const ends = silent.map(
    (socket) => new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
  )
  await deadline('the end of the first', Promise.all(ends.slice(0, 200 - 128)), SOON_MS)

  const talker = connect(path)
  const ended = new Promise((resolve) => talker.on('error', () => {}).on('close', resolve))
  // the start of a message of 16 MiB
  talker.write(Buffer.concat([Buffer.from([0xff, 0xff, 0xff]), Buffer.alloc(1024 * 1024)]))
  await deadline('the end of the connection', ended, SOON_MS)
})

test('peers that claim to have more than the writer, and leave, are not kept', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const path = await socketOf(machine)
  const { store } = internalsOf(node)
  const journal = store.get({ name: 'core-1' })
  await journal.ready()
  const seen: WeakRef<Peer>[] = []
  journal.on('peer-add', (peer: Peer) => void seen.push(new WeakRef(peer)))
  const liar = new Corestore(join(machine.directory, 'liar'))
  atEnd(t, () => liar.close())
  const core = liar.get({ key: b4a.from(writer.key, 'hex') })
  await core.ready()
  core.on('peer-add', (peer) => {
    const { wireSync } = peer as unknown as { wireSync: { send(message: object): void } }
    wireSync.send({ fork: 0, length: 1000, remoteLength: 0, uploading: true, downloading: true })
  })
  const count = 300
  for (let come = 1; come <= count; come++) {
    const { stream } = await intrude(t, path)
    liar.replicate(stream)
    await until('the claim', () => journal.peers.some((peer) => peer.remoteLength === 1000))
    stream.destroy()
    await until('its end', () => journal.peers.length === 0)
  }
  assert.equal(seen.length, count)
  const kept = (): number => {
    heldBytes()
    return seen.filter((peer) => peer.deref() !== undefined).length
  }
  const areGone = async (): Promise<void> => {
    while (kept() > 16) await new Promise((resolve) => setImmediate(resolve))
  }
  await deadline('the peers to be forgotten', areGone(), SOON_MS)
})

test('a request that came while the stream took nothing is answered, also where others are being read when it takes more', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node, { routing: { rule: 'round-robin', cores: 5 } })
  await writer.publish([`${'x'.repeat(2 ** 20)}\n`, 'waits\n', 'read\n', 'read, too\n'])
  const store = new Corestore(join(machine.directory, 'copy'))
  atEnd(t, () => store.close())
  const copies = writer.manifest.cores.map(({ key }) => store.get({ key: b4a.from(key, 'hex') }))
  const { socket, stream } = await intrude(t, await socketOf(machine))
  store.replicate(stream)
  const [long, waiting, ...read] = copies.slice(0, 4) as [Hypercore, Hypercore, Hypercore, Hypercore]
  const areKnown = (): boolean =>
    [long, waiting, ...read].every(
      ({ length, peers }) => length === 1 && peers[0]?.remoteContiguousLength === 1
    )
  await until('what the writer has', areKnown)
  const served = [...internalsOf(node).store.cores].filter(({ opened, key }) =>
    read.some((core) => opened && b4a.equals(core.key as Uint8Array, key as Uint8Array))
  )
  // a disk that is slow for two of the blocks
  let goOn: () => void = () => {}
  const disk = new Promise<void>((resolve) => {
    goOn = resolve
  })
  let reading = 0
  for (const core of served) {
    const storage = core.storage as unknown as { read(): { getBlock(index: number): Promise<Uint8Array> } }
    const begin = storage.read.bind(storage)
    storage.read = () => {
      const batch = begin()
      const get = batch.getBlock.bind(batch)
      batch.getBlock = (index) => {
        reading++
        const block = get(index)
        return disk.then(() => block)
      }
      return batch
    }
  }
  const [peer] = served[0]?.replicator.peers ?? []
  assert.ok(peer)
  const { stream: serving } = peer
  const others = [...internalsOf(node).store.cores].flatMap(({ opened, replicator }) =>
    opened ? replicator.peers : []
  )
  socket.pause()
  const blocks = [long.get(0)]
  await until('a stream that is full', () => (serving.rawStream as unknown as Socket).writableNeedDrain)
  blocks.push(waiting.get(0))
  await until('the request', () => others.some(({ receiverQueue }) => receiverQueue.length === 1))
  // a word that the stream takes
  await writer.publish(['one more\n'])
  blocks.push(...read.map((core) => core.get(0)))
  await until('two reads', () => reading === 2)
  const drained = once(serving, 'drain')
  socket.resume()
  await deadline('the stream to take more', drained)
  goOn()
  const [, line] = await deadline('all blocks', Promise.all(blocks), SOON_MS)
  assert.equal(b4a.toString(line as Uint8Array), 'waits\n')
})
