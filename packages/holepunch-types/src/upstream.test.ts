import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import SecretStream from '@hyperswarm/secret-stream'
import Corestore, { type Atom, type CorestoreStorage, type ProtocolStream } from 'corestore'
import { tryLock } from 'fs-native-extensions'
import goodbye from 'graceful-goodbye'
import Hypercore, { type Download, type Peer, type Replicator, type SharedCore } from 'hypercore'
import HyperDHT, { type Lookup } from 'hyperdht'
import createTestnet, { type Testnet } from 'hyperdht/testnet.js'
import Hyperswarm, { type Discovery, type PeerInfo, type Server } from 'hyperswarm'
import Protomux, { type Channel } from 'protomux'
import RocksDB, { type ColumnFamily, type State, type WriteBatch } from 'rocksdb-native'
import z32 from 'z32'

/** Does not compile unless the declared members are exactly those listed. */
type Members<T> = {
  readonly [Name in Exclude<keyof T, keyof EventEmitter>]: T[Name] extends (...args: never[]) => unknown
    ? 'method'
    : 'property'
}

function assertMembers<T extends object>(instance: T, members: Members<T>): void {
  for (const [name, kind] of Object.entries(members)) {
    assert.ok(name in instance, `${instance.constructor.name} has ${name}`)
    if (kind === 'method') assert.equal(typeof Reflect.get(instance, name), 'function', `${name} is a method`)
  }
}

let directory: string
let store: Corestore
let core: Hypercore
let testnet: Testnet

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holepunch-types-'))
  store = new Corestore(join(directory, 'store'))
  core = store.get({ name: 'core' })
  await core.ready()
  testnet = await createTestnet(2, { host: '127.0.0.1' })
})

after(async () => {
  await store.close()
  await testnet.destroy()
  await rm(directory, { recursive: true })
})

test('corestore has the declared members', () => {
  assert.ok(store instanceof EventEmitter)
  assertMembers<Corestore>(store, {
    storage: 'property',
    cores: 'property',
    opened: 'property',
    closing: 'property',
    closed: 'property',
    ready: 'method',
    close: 'method',
    get: 'method',
    createKeyPair: 'method',
    findingPeers: 'method',
    watch: 'method',
    replicate: 'method'
  })
  assertMembers<CorestoreStorage>(store.storage, {
    path: 'property',
    rocks: 'property',
    db: 'property',
    _maybeRecoverLater: 'method',
    createAtom: 'method',
    getInfos: 'method',
    close: 'method'
  })
  assertMembers<Atom>(store.storage.createAtom(), { flush: 'method' })
})

test('hypercore has the declared members', () => {
  assert.ok(core instanceof EventEmitter)
  assertMembers<Hypercore>(core, {
    key: 'property',
    discoveryKey: 'property',
    length: 'property',
    fork: 'property',
    writable: 'property',
    contiguousLength: 'property',
    remoteContiguousLength: 'property',
    peers: 'property',
    opened: 'property',
    closing: 'property',
    closed: 'property',
    ready: 'method',
    close: 'method',
    get: 'method',
    has: 'method',
    append: 'method',
    truncate: 'method',
    clear: 'method',
    download: 'method',
    update: 'method',
    findingPeers: 'method',
    session: 'method',
    snapshot: 'method',
    getUserData: 'method',
    setUserData: 'method',
    activeRequests: 'property',
    core: 'property'
  })
  assert.equal(typeof Hypercore.defaultStorage, 'function')
  assert.equal(typeof Hypercore.discoveryKey, 'function')
  assertMembers<SharedCore>(core.core, {
    createUserDataStream: 'method',
    audit: 'method',
    key: 'property',
    replicator: 'property',
    header: 'property',
    state: 'property',
    storage: 'property',
    bitfield: 'property',
    _setBitfieldRanges: 'method',
    updateContiguousLength: 'method',
    ready: 'method',
    opened: 'property',
    closing: 'property',
    flushHints: 'method',
    verify: 'method',
    reorg: 'method',
    _onconflict: 'method'
  })
  assertMembers<Replicator>(core.core.replicator, {
    peers: 'property',
    allowFork: 'property',
    eagerUpgrade: 'property',
    _resolveBlocksLocally: 'method',
    addBlock: 'method',
    onhave: 'method'
  })
  const download = core.download({ start: 0, end: 0 })
  assertMembers<Download>(download, { done: 'method', destroy: 'method' })
  download.destroy()
})

test('the user data of a core is listed by key range, and an audit counts mismatches', async () => {
  for (const key of ['a/1', 'b/1', 'b/2', 'c/1']) await core.setUserData(key, Buffer.from(key))
  const found = []
  for await (const { key } of core.core.createUserDataStream({ gte: 'b/', lt: 'b0' })) found.push(key)
  assert.deepEqual(found, ['b/1', 'b/2'])
  const audit = await core.core.audit({ dryRun: true })
  assert.deepEqual([audit?.droppedBlocks, audit?.droppedTreeNodes, audit?.corrupt], [0, 0, false])
})

test('the key of a named core follows from its key pair', async () => {
  const { publicKey } = await store.createKeyPair('core')
  assert.deepEqual(Hypercore.key({ version: 1, signers: [{ publicKey }] }), core.key)
})

test('sessions with one atom become durable at its flush', async () => {
  const atom = store.storage.createAtom()
  const session = core.session({ atom })
  await session.append([Buffer.from('one'), Buffer.from('two')])
  assert.equal(core.length, 0)
  await atom.flush()
  assert.equal(core.length, 2)
  assert.equal(String(await core.get(1)), 'two')
  assert.equal(await core.get(2, { wait: false }), null)
  await session.close()
})

test('two stores replicate over a pipe, and each core sees a peer', async () => {
  const other = new Corestore(join(directory, 'other'))
  try {
    assert.ok(core.key)
    const copy = other.get({ key: core.key })
    const near: ProtocolStream = store.replicate(true)
    const far = other.replicate(false)
    const peers = new Promise<Peer>((resolve) => copy.once('peer-add', resolve))
    near.pipe(far).pipe(near)

    assertMembers<Peer>(await peers, {
      remotePublicKey: 'property',
      remoteLength: 'property',
      remoteContiguousLength: 'property',
      remoteFork: 'property',
      remoteSynced: 'property',
      stream: 'property',
      core: 'property',
      removed: 'property',
      wireRequest: 'property',
      wireNoData: 'property',
      receiverQueue: 'property',
      _handleRequest: 'method',
      oncancel: 'method'
    })
    assertMembers<ProtocolStream>(near, { noiseStream: 'property', pipe: 'method', destroy: 'method' })
    assert.ok(near.noiseStream instanceof SecretStream)
    near.destroy()
  } finally {
    await other.close()
  }
})

test('hyperdht has the declared members', () => {
  const [node] = testnet.nodes
  assert.ok(node instanceof HyperDHT)
  assert.ok(node instanceof EventEmitter)
  assertMembers<HyperDHT>(node, {
    io: 'property',
    bootstrapped: 'property',
    firewalled: 'property',
    randomized: 'property',
    destroyed: 'property',
    stats: 'property',
    host: 'property',
    port: 'property',
    connect: 'method',
    lookup: 'method',
    announce: 'method',
    address: 'method',
    destroy: 'method'
  })
  assertMembers<HyperDHT['io']>(node.io, { onmessage: 'method' })
  assertMembers<Lookup>(node.lookup(Buffer.alloc(32)), {
    closestReplies: 'property',
    [Symbol.asyncIterator]: 'method'
  })
  assert.equal(node.address()?.port, testnet.bootstrap[0]?.port)
  assert.equal(HyperDHT.keyPair().publicKey.byteLength, 32)
  assertMembers<Testnet>(testnet, {
    nodes: 'property',
    bootstrap: 'property',
    createNode: 'method',
    destroy: 'method'
  })
})

test('hyperswarm has the declared members, and connects two peers over loopback', async () => {
  const topic = Buffer.alloc(32, 'topic')
  const server = openSwarm()
  const client = openSwarm()
  try {
    const discovery = server.join(topic, { server: true, client: false })
    await discovery.flushed()
    const connected = new Promise<[SecretStream, PeerInfo]>((resolve) =>
      client.once('connection', (...pair) => resolve(pair))
    )
    client.join(topic, { server: false, client: true })
    const [connection, peer] = await connected

    assertSwarm(client)
    assertMembers<Discovery>(discovery, {
      topic: 'property',
      flushed: 'method',
      refresh: 'method',
      destroy: 'method'
    })
    assertMembers<PeerInfo>(peer, {
      publicKey: 'property',
      client: 'property',
      topics: 'property',
      ban: 'method'
    })
    assertStream(connection)
    assert.equal(await connection.opened, true)
    assert.deepEqual(connection.remotePublicKey, server.keyPair.publicKey)
    assert.equal(peer.client, true)
  } finally {
    await Promise.all([client.destroy(), server.destroy()])
  }
})

test('rocksdb-native has the declared members, and writes a batch', async () => {
  const database = new RocksDB(join(directory, 'rocks'))
  await database.ready()
  assertMembers<RocksDB>(database, {
    ready: 'method',
    close: 'method',
    columnFamily: 'method',
    write: 'method',
    flush: 'method',
    currentWalFile: 'method',
    stats: 'property',
    _state: 'property'
  })
  assertMembers<State>(database._state, { createWriteBatch: 'method' })
  const family = new RocksDB.ColumnFamily('lines', { enableBlobFiles: true })
  assertMembers<ColumnFamily>(family, { name: 'property' })
  const batch = database.columnFamily(family).write({ capacity: 1, autoDestroy: true })
  assertMembers<WriteBatch>(batch, { tryPut: 'method', flush: 'method', destroy: 'method' })
  batch.tryPut(Buffer.from('key'), Buffer.from('value'))
  await batch.flush()
  const { number } = await database.currentWalFile()
  await stat(join(directory, 'rocks', `${String(number).padStart(6, '0')}.log`))
  const again = database._state.createWriteBatch(database)
  assert.equal(again, batch, 'batches are pooled')
  again.destroy()
  await database.close({ force: true })
})

test('protomux has the declared members, and notifies of the id of a channel that the peer opens', async () => {
  const [near, far] = [new SecretStream(true), new SecretStream(false)]
  const raw = (stream: SecretStream): NodeJS.ReadWriteStream =>
    stream.rawStream as unknown as NodeJS.ReadWriteStream
  raw(near).pipe(raw(far)).pipe(raw(near))
  for (const stream of [near, far]) stream.on('error', () => {})
  const mux = Protomux.from(near)
  assert.equal(Protomux.from(near), mux)
  const notified = new Promise((resolve) => Protomux.from(far).pair({ protocol: 'test' }, resolve))
  const channel = mux.createChannel({ protocol: 'test', id: Buffer.from('id') })
  assert.ok(channel !== null)
  channel.open()
  assert.deepEqual(await notified, Buffer.from('id'))
  assert.deepEqual([...mux], [channel])
  assertMembers<Channel>(channel, {
    protocol: 'property',
    userData: 'property',
    opened: 'property',
    ondrain: 'method',
    messages: 'property',
    open: 'method'
  })
  assertMembers<Omit<Protomux, typeof Symbol.iterator>>(mux, {
    stream: 'property',
    drained: 'property',
    createChannel: 'method',
    pair: 'method',
    destroy: 'method'
  })
  mux.destroy()
  far.destroy()
})

test('z32 and graceful-goodbye have the declared members', () => {
  assert.deepEqual(z32.decode(z32.encode(Buffer.from('key'))), Buffer.from('key'))

  const unregister = goodbye(() => {}, 0)
  unregister()
  assert.equal(goodbye.exiting, false)
  assert.equal(typeof goodbye.exit, 'function')
})

function openSwarm(): Hyperswarm {
  const swarm = new Hyperswarm({ dht: testnet.createNode({ host: '127.0.0.1', firewalled: false }) })
  // the side that closes second sees a reset
  swarm.on('connection', (connection) => connection.on('error', () => {}))
  return swarm
}

function assertSwarm(swarm: Hyperswarm): void {
  assert.ok(swarm instanceof EventEmitter)
  assertMembers<Hyperswarm>(swarm, {
    keyPair: 'property',
    dht: 'property',
    server: 'property',
    peers: 'property',
    connections: 'property',
    destroyed: 'property',
    join: 'method',
    topics: 'method',
    flush: 'method',
    destroy: 'method'
  })
  assertMembers<Server>(swarm.server, { refresh: 'method' })
}

function assertStream(stream: SecretStream): void {
  assert.ok(stream instanceof SecretStream)
  assertMembers<SecretStream>(stream, {
    isInitiator: 'property',
    rawStream: 'property',
    opened: 'property',
    publicKey: 'property',
    remotePublicKey: 'property',
    keepAlive: 'property',
    destroying: 'property',
    destroyed: 'property',
    setTimeout: 'method',
    setKeepAlive: 'method',
    write: 'method',
    end: 'method',
    destroy: 'method'
  })
}

test('a lock of fs-native-extensions excludes another open file, and ends with its descriptor', async () => {
  const path = join(directory, 'locked')
  const [first, second] = [await open(path, 'a+'), await open(path, 'a+')]
  assert.ok(tryLock(first.fd, 2 ** 48, 1))
  assert.ok(!tryLock(second.fd, 2 ** 48, 1))
  await first.close()
  assert.ok(tryLock(second.fd, 2 ** 48, 1))
  await second.close()
})
