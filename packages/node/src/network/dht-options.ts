import { type Address, isLoopback, isPrivate } from './address.ts'

/** What a DHT node is made with, so that it can be reached wherever these nodes can. */
export interface DhtOptions {
  readonly bootstrap?: readonly Address[]
  readonly host?: string
  readonly firewalled?: boolean
}

/** Options for a node of the DHT that `nodes` belong to; of the public one if there are none. */
export function dhtOptions(nodes: readonly Address[]): DhtOptions {
  if (nodes.length === 0) return {}
  const bootstrap = nodes.map(({ host, port }) => ({ host, port }))
  // bound to 0.0.0.0, a node is not to be reached over loopback on some hosts; firewalled, its first connection often aborts
  if (nodes.every(({ host }) => isLoopback(host))) return { bootstrap, host: '127.0.0.1', firewalled: false }
  // where no NAT is between, two firewalled nodes of hyperdht 6.32.0 come to be half connected: docs/upstream.md
  if (nodes.every(({ host }) => isPrivate(host))) return { bootstrap, firewalled: false }
  return { bootstrap }
}
