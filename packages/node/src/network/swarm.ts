import type Hyperswarm from 'hyperswarm'
import { NodeError } from '../errors.ts'
import type { Network, NetworkEvents, PeerKeyPair } from './network.ts'

/** A DHT that answers lets itself be told goodbye in less; one that does not is left. */
const DESTROY_TIMEOUT_MS = 1000

/** How often a swarm without a connection looks again: one that started without its DHT would itself take minutes. */
const RETRY_INTERVAL_MS = 3000

/** After so many tries only every tenth goes on: nobody may be there, and the DHT is everybody's. */
const EAGER_RETRIES = 20

export interface SwarmOptions extends NetworkEvents {
  readonly keyPair: PeerKeyPair
  /** `host:port` of a private DHT's nodes; the public DHT if there are none. */
  readonly bootstrap: readonly string[]
}

/** Finds peers anywhere by Hyperswarm: the discovery key is announced and looked up, connections are Noise over UDX. */
export function createSwarm(options: SwarmOptions): Network {
  const nodes = options.bootstrap.map(parseAddress)
  let swarm: Promise<Hyperswarm> | null = null
  let retry: NodeJS.Timeout | null = null
  let closing: Promise<void> | null = null

  const start = async (): Promise<Hyperswarm> => {
    const opened = await openSwarm(options, nodes)
    opened.on('connection', (stream) => options.onconnection({ stream, via: 'dht' }))
    let tries = 0
    retry = setInterval(() => {
      if (opened.connections.size > 0) tries = 0
      else if (++tries <= EAGER_RETRIES || tries % 10 === 0) rejoin(opened).catch(ignore)
    }, RETRY_INTERVAL_MS)
    retry.unref()
    return opened
  }

  const join = async (discoveryKey: Uint8Array): Promise<void> => {
    if (closing !== null) return
    swarm ??= start()
    const opened = await swarm
    if (closing !== null) return
    // not awaited: without a network it takes 12 s, and being found here must not hold up being found on this machine
    opened.join(discoveryKey, { server: true, client: true })
  }

  const end = async (): Promise<void> => {
    if (retry !== null) clearInterval(retry)
    if (swarm === null) return
    const opened = await swarm
    await within(DESTROY_TIMEOUT_MS, opened.destroy())
    opened.destroy({ force: true }).catch(ignore)
  }

  const close = (): Promise<void> => {
    closing ??= end()
    return closing
  }

  return { join, close }
}

/** The parts of `host:port`, `[v6]:port` or `port` alone. Throws NodeError `BAD_OPTION`. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]:|(?<host>[^\s:@]+):)?(?<port>\d{1,5})$/i.exec(text)
  const port = Number(match?.groups?.port)
  if (match === null || port < 1 || port > 65_535) {
    throw new NodeError(
      'BAD_OPTION',
      `${JSON.stringify(text)} is no bootstrap address; it reads host:port, e.g. 127.0.0.1:49737`
    )
  }
  return { host: match.groups?.v6 ?? match.groups?.host ?? '127.0.0.1', port }
}

async function openSwarm(
  { keyPair }: SwarmOptions,
  nodes: readonly { host: string; port: number }[]
): Promise<Hyperswarm> {
  // loaded here: a program without a DHT does not pay for it, one with a DHT shows its key first
  const [{ default: Swarm }, { default: DHT }] = await Promise.all([import('hyperswarm'), import('hyperdht')])
  if (nodes.length === 0) return new Swarm({ keyPair })
  const bootstrap = nodes.map(({ host, port }) => ({ host, port }))
  if (!nodes.every(({ host }) => isLoopback(host))) return new Swarm({ keyPair, bootstrap })
  // bound to 0.0.0.0, a node is not to be reached over loopback on some hosts; firewalled, its first connection often aborts
  return new Swarm({ keyPair, dht: new DHT({ bootstrap, host: '127.0.0.1', firewalled: false }) })
}

async function rejoin(swarm: Hyperswarm): Promise<void> {
  swarm.server.refresh()
  await Promise.all([...swarm.topics()].map((discovery) => discovery.refresh()))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([work.catch(ignore), timeout])
  clearTimeout(timer)
}

function ignore(): void {}
