// A DHT for other processes, with a relay: `relay.js HOST` prints the port of the first node and the relay's key.

import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'

/** blind-relay, the version that hyperdht depends on. It has no types. */
interface BlindRelay {
  readonly Server: new (options: {
    readonly createStream: (options: object) => unknown
  }) => {
    accept(stream: SecretStream, options: { readonly id: Uint8Array }): EventEmitter
  }
}

const require = createRequire(import.meta.url)
const { Server } = createRequire(require.resolve('hyperdht'))('blind-relay') as BlindRelay

/** The methods that upstream's types lack. */
interface RelayNode {
  createRawStream(options: object): unknown
  createServer(onconnection: (stream: SecretStream) => void): {
    listen(): Promise<void>
    readonly publicKey: Uint8Array
  }
}

const [host = '127.0.0.1'] = process.argv.slice(2)
const testnet = await createTestnet(3, { host })
const port = testnet.bootstrap[0]?.port
const node = new HyperDHT({
  bootstrap: [`${host}:${port}`],
  ephemeral: false,
  firewalled: false
}) as unknown as RelayNode
const relay = new Server({ createStream: (options) => node.createRawStream({ ...options, framed: true }) })
const server = node.createServer((stream) => {
  stream.on('error', () => {})
  relay.accept(stream, { id: stream.remotePublicKey }).on('error', () => {})
})
await server.listen()
process.stdout.write(`${port}\n${b4a.toString(server.publicKey, 'hex')}\n`)
