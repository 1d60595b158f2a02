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
import {
  diagnose,
  type Finding,
  type Node,
  type NodeOptions,
  openReader,
  openWriter,
  type Status
} from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createLog, createMachine, type Machine, take } from '../testing/support.ts'

const UNKNOWN_KEY = 'ab'.repeat(32)

async function openTestnet(t: TestContext, port = 0): Promise<Testnet> {
  const testnet = await createTestnet(3, { host: '127.0.0.1', port })
  atEnd(t, () => deadline('the DHT to end', testnet.destroy()))
  return testnet
}

/** A node that finds peers only over the DHT, as if it were alone on its machine. */
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

/** A port that a DHT node with a free choice does not bind. */
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

test('a host name that cannot be resolved is the reason, not a DHT that does not answer', async (t) => {
  const machine = await createMachine(t)
  const network = { bootstrap: ['no-such-host.invalid:49737'], local: false, lan: false }
  const node = await openApart(machine, 'r', 0, network)
  const reading = openReader(node, UNKNOWN_KEY, { timeout: 4000 })
  await assert.rejects(reading, /the host name no-such-host\.invalid cannot be resolved/)
  const rendezvous = join(machine.directory, 'meet')
  const findings = new Map<string, Finding>()
  for await (const finding of diagnose({ ...network, rendezvous, timeout: 1000 }))
    findings.set(finding.check, finding)
  assert.equal(findings.get('udp')?.outcome, 'skipped')
  assert.match(findings.get('dht')?.text ?? '', /no-such-host\.invalid cannot be resolved/)
})

test('peers connect over a private DHT; readers announce the log, too, and only its bootstrap core', async (t) => {
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

test('two peers on one machine that also find each other over the DHT keep the local connection', async (t) => {
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
  // a second reader finds the writer over both networks
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

test('a DHT that starts later is used without a restart, within five seconds', async (t) => {
  const port = await freePort()
  const machine = await createMachine(t)
  const log = createLog()
  const writer = await openWriter(await openApart(machine, 'w', port, { onStatus: log.onStatus }))
  await writer.publish(['early\n'])
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

test('connected peers announce again within five seconds after all nodes of a DHT have been restarted', async (t) => {
  const port = await freePort()
  const before = await createTestnet(3, { host: '127.0.0.1', port })
  const machine = await createMachine(t)
  const writer = await openWriter(await openApart(machine, 'w', port))
  await writer.publish(['announced again\n'])
  await deadline('the first reader', openReader(await openApart(machine, 'r', port), writer.key))
  await before.destroy()
  await openTestnet(t, port)

  const late = await openApart(machine, 'late', port)
  const began = performance.now()
  const reader = await deadline('the second reader', openReader(late, writer.key))
  const took = performance.now() - began
  assert.deepEqual(await take(reader.batches(), 1), ['announced again\n'])
  t.diagnostic(`${Math.round(took)} ms`)
  assert.ok(took < 10_000, `${took} ms`)
})

test('after the first search for each of a node’s logs, the peers that announce the log are connected', async (t) => {
  const testnet = await openTestnet(t)
  const port = testnet.bootstrap[0]?.port
  const machine = await createMachine(t)
  const search = async (node: Node, key: string): Promise<void> => {
    const { store, join: find, waitForSearch } = internalsOf(node)
    const core = store.get({ key: b4a.from(key, 'hex') })
    await core.ready()
    await find(core)
    await waitForSearch(core, DEADLINE_MS)
  }
  const node = await openApart(machine, 'a', port)
  for (const [index, key] of [UNKNOWN_KEY, 'cd'.repeat(32)].entries()) {
    await search(await openApart(machine, `announcing${index}`, port), key)
    await search(node, key)
    assert.equal(node.peers, index + 1)
  }
})

test('a reader that finds no log says why: no DHT, no announcement, no answer, or no peer that has it', async (t) => {
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
  assert.match(await why('a', UNKNOWN_KEY, 9), /the DHT at 127\.0\.0\.1:9 does not answer/)
  assert.match(await why('b', UNKNOWN_KEY, port), /no peer announces it on the DHT/)

  // a peer that announced the log and died
  const asker = testnet.createNode({ firewalled: false })
  const node = await openApart(machine, 'c', port)
  const core = internalsOf(node).store.get({ key: b4a.from(UNKNOWN_KEY, 'hex') })
  await core.ready()
  const topic = core.discoveryKey as Uint8Array
  await asker.announce(topic, HyperDHT.keyPair()).finished()
  await node.close()
  assert.match(
    await why('d', UNKNOWN_KEY, port),
    /a peer announces it on the DHT but did not answer: PEER_NOT_FOUND/
  )

  // a peer that waits for the log, too
  const waiting = await openApart(machine, 'e', port)
  const opening = openReader(waiting, UNKNOWN_KEY, { timeout: 0 }).catch(() => {})
  assert.match(await why('f', UNKNOWN_KEY, port), /one peer answered/)
  await waiting.close()
  await opening
})

test('a relay is named by its key, in any spelling', async (t) => {
  const machine = await createMachine(t)
  await assert.rejects(machine.open('r', { local: false, relay: 'nonsense' }), { code: 'BAD_KEY' })
  await assert.rejects(machine.open('r', { relay: UNKNOWN_KEY }), { code: 'BAD_OPTION' })
  await machine.open('r', { local: false, bootstrap: ['127.0.0.1:9'], relay: UNKNOWN_KEY.toUpperCase() })
})

test('close takes less than two seconds, whether the DHT answers or not', async (t) => {
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
