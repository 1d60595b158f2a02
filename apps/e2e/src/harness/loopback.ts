import type { TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import type Corestore from 'corestore'
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import Hyperswarm from 'hyperswarm'

/** A private DHT on loopback, for one test. */
export interface Loopback {
  /** The value of `--bootstrap`. */
  readonly address: string
  /** Replicates `store` with the peers that look up `discoveryKey`, until the test ends. */
  readonly serve: (store: Corestore, discoveryKey: Uint8Array) => Promise<void>
}

export async function openLoopback(t: TestContext): Promise<Loopback> {
  const testnet = await createTestnet(3, { host: '127.0.0.1' })
  atEnd(t, () => testnet.destroy())
  const [node] = testnet.bootstrap
  if (node === undefined) throw new Error('the DHT has no node')
  const address = `${node.host}:${node.port}`
  const serve = async (store: Corestore, discoveryKey: Uint8Array): Promise<void> => {
    const swarm = openSwarm(address)
    atEnd(t, () => swarm.destroy())
    swarm.on('connection', (stream) => void store.replicate(stream))
    swarm.join(discoveryKey)
    await swarm.flush()
  }
  return { address, serve }
}

/** A swarm that uses loopback only. */
export function openSwarm(address: string): Hyperswarm {
  // on some hosts, a node on 0.0.0.0 is unreachable over loopback; firewalled, its first connection often aborts
  return new Hyperswarm({ dht: new HyperDHT({ bootstrap: [address], host: '127.0.0.1', firewalled: false }) })
}
