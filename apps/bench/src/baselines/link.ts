import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import SecretStream from '@hyperswarm/secret-stream'
import type Corestore from 'corestore'
import HyperDHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'

export interface LinkOptions {
  /** `host:port` of a DHT on loopback: a Noise stream over UDX, as Hyperswarm makes it. */
  readonly bootstrap?: string | undefined
  /** Path of a unix socket: a Noise stream over that. */
  readonly socket?: string | undefined
  /** What to be found by. */
  readonly topic: Uint8Array
  /** Whether to be found, or to find. */
  readonly serves: boolean
  readonly onStream: (stream: SecretStream) => void
}

/** Connects two baselines with each other in the ways that are asked for. Resolves when they can be found; to what ends it. */
export async function openLink(options: LinkOptions): Promise<() => Promise<void>> {
  const { bootstrap, socket, onStream } = options
  const take = (stream: SecretStream): void => {
    // whichever side goes second sees a reset
    stream.on('error', () => {})
    onStream(stream)
  }
  const links = await Promise.all([
    bootstrap === undefined ? nothing : joinSwarm(bootstrap, { ...options, onStream: take }),
    socket === undefined ? nothing : openSocket(socket, { ...options, onStream: take })
  ])
  return async () => {
    await Promise.all(links.map((close) => close()))
  }
}

/** Replicates a whole store over such connections; resolves likewise, to what ends it and closes the store. */
export async function replicate(
  store: Corestore,
  options: Omit<LinkOptions, 'onStream'>
): Promise<() => Promise<void>> {
  const unlink = await openLink({ ...options, onStream: (stream) => store.replicate(stream) })
  return async () => {
    await unlink()
    await store.close()
  }
}

type Ways = Pick<LinkOptions, 'topic' | 'serves' | 'onStream'>

async function joinSwarm(address: string, { topic, serves, onStream }: Ways): Promise<() => Promise<void>> {
  const [host = '', port] = address.split(':')
  const dht = new HyperDHT({
    bootstrap: [{ host, port: Number(port) }],
    // bound to 0.0.0.0 it is not to be reached over loopback on some hosts; firewalled, first connections often abort
    host: '127.0.0.1',
    firewalled: false
  })
  const swarm = new Hyperswarm({ dht })
  swarm.on('connection', onStream)
  const discovery = swarm.join(topic, { server: serves, client: !serves })
  if (serves) await discovery.flushed()
  return () => swarm.destroy()
}

async function openSocket(path: string, { serves, onStream }: Ways): Promise<() => Promise<void>> {
  if (!serves) {
    const socket = connect(path)
    onStream(new SecretStream(true, socket))
    await once(socket, 'connect')
    return async () => void socket.destroy()
  }
  const server = createServer((socket) => onStream(new SecretStream(false, socket)))
  server.listen(path)
  await once(server, 'listening')
  // the process ends with it: connections need not be waited for
  return async () => void server.close()
}

async function nothing(): Promise<void> {}
