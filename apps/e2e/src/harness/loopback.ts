import type { TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import type Corestore from 'corestore'
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import Hyperswarm from 'hyperswarm'

/** A DHT of this machine's alone, as long as a test runs. */
export interface Loopback {
  /** What `--bootstrap` takes. */
  readonly address: string
  /** Serves what is in `store` to whoever looks for `discoveryKey`, until the test ends. */
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

/** A swarm that never leaves this machine. */
export function openSwarm(address: string): Hyperswarm {
  // bound to 0.0.0.0, a node is not to be reached over loopback on some hosts; firewalled, its first connection often aborts
  return new Hyperswarm({ dht: new HyperDHT({ bootstrap: [address], host: '127.0.0.1', firewalled: false }) })
}
