// `lan-alone.js SCENARIO DIRECTORY`: tests of LAN discovery for a network namespace without other hosts.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { deadline } from '@many-cores/testing'
import HyperDHT from 'hyperdht'
import { type Node, openNode, openReader, type Status } from '../index.ts'
import { LanNetwork } from '../network/lan.ts'

const MULTICAST_PORT = 5353

/** More than fit into one datagram of 9,000 bytes. */
const MANY_LOGS = 30

const [scenario = '', directory = ''] = process.argv.slice(2)

function ip(words: string): void {
  execFileSync('ip', words.split(' '), { stdio: 'pipe' })
}

/** Adds an interface that leads nowhere. */
function connect(address: string): void {
  ip('link set lo up')
  ip('link add eth0 type veth peer name other')
  ip(`addr add ${address} dev eth0`)
  for (const name of ['eth0', 'other']) ip(`link set ${name} up`)
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const wait = async (): Promise<void> => {
    while (!condition()) await setImmediate()
  }
  await deadline(what, wait())
}

/** LAN discovery without a node, and its statuses. */
function openLan(): { lan: LanNetwork; statuses: Status[] } {
  const statuses: Status[] = []
  const lan = new LanNetwork({
    keyPair: HyperDHT.keyPair(),
    add: ({ stream }) => stream.destroy(),
    onStatus: (status) => void statuses.push(status),
    isReached: () => false,
    isAllowed: () => true,
    isRefusing: () => false,
    isFull: () => false
  })
  return { lan, statuses }
}

function states(statuses: readonly Status[]): string[] {
  return statuses.map(({ state }) => state)
}

/** A node that waits for these logs, and can find peers only on the LAN. */
async function openWaiting(name: string, keys: readonly string[]): Promise<Node> {
  const node = await openNode({
    storage: join(directory, name),
    rendezvous: join(directory, `meet-${name}`),
    bootstrap: ['127.0.0.1:9']
  })
  for (const key of keys) openReader(node, key, { timeout: 0 }).catch(() => {})
  return node
}

const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = {
  /** Two nodes with many logs each, of which they share the last. */
  many: async () => {
    connect('10.77.0.1/24')
    const random = (): string => randomBytes(32).toString('hex')
    const shared = random()
    const keys = (): string[] => [...Array.from({ length: MANY_LOGS }, random), shared]
    const nodes = [await openWaiting('a', keys()), await openWaiting('b', keys())]
    await until('the connection', () => nodes.every((node) => node.peers === 1))
    await Promise.all(nodes.map((node) => node.close()))
  },

  /** The first search for each of two logs. */
  searches: async () => {
    connect('10.77.0.1/24')
    const { lan } = openLan()
    for (const log of [randomBytes(32), randomBytes(32)]) {
      assert.equal(lan.isSearching(log), false)
      await lan.join(log)
      assert.equal(lan.isSearching(log), true)
      await until('the end of the first search', () => !lan.isSearching(log))
    }
    await lan.close()
  },

  /** A port that another process uses exclusively, and releases later. */
  taken: async () => {
    connect('10.77.0.1/24')
    const other = createSocket('udp4').bind(MULTICAST_PORT)
    await once(other, 'listening')
    const { lan, statuses } = openLan()
    await lan.join(randomBytes(32))
    await until('a fault', () => statuses.length > 0)
    // more queries
    for (let count = 0; count < 5; count++) lan.onDisconnected()
    await lan.join(randomBytes(32))
    other.close()
    await once(other, 'close')
    lan.onDisconnected()
    await until('its end', () => states(statuses).includes('reachable'))
    assert.deepEqual(states(statuses), ['unreachable', 'reachable'])
    await lan.close()
  },

  /** No network, and a rendezvous directory that is not private. */
  nowhere: async () => {
    const rendezvous = join(directory, 'meet')
    await mkdir(rendezvous)
    await chmod(rendezvous, 0o755)
    const statuses: Status[] = []
    const onStatus = (status: Status): void => void statuses.push(status)
    const storage = join(directory, 'r')
    const node = await openNode({ storage, rendezvous, bootstrap: ['127.0.0.1:9'], onStatus })
    openReader(node, randomBytes(32).toString('hex'), { timeout: 0 }).catch(() => {})
    await until('three faults', () => statuses.length > 3)
    const vias = statuses.flatMap((status) => (status.state === 'unreachable' ? [status.via] : []))
    assert.deepEqual(vias, ['local', 'lan', 'dht'])
    await node.close()
  },

  /** A network without IPv4, at first. */
  v6: async () => {
    connect('fd77::1/64')
    const { lan, statuses } = openLan()
    await lan.join(randomBytes(32))
    const { reason } = lan.searchResult()
    assert.match(reason, /IPv4/)
    assert.deepEqual(statuses, [{ state: 'unreachable', via: 'lan', reason }])
    ip('addr add 10.77.0.1/24 dev eth0')
    await until('the network', () => statuses.length > 1)
    assert.deepEqual(states(statuses), ['unreachable', 'reachable'])
    await lan.close()
  }
}

await SCENARIOS[scenario]?.()
