import type { HyperDHTOptions } from 'hyperdht'
import { type Address, isLoopback, isPrivate } from './address.ts'

/** Options for a DHT node that its peers can reach. `nodes` are the bootstrap nodes; empty for the public DHT. */
export function dhtOptions(nodes: readonly Address[]): HyperDHTOptions {
  if (nodes.length === 0) return {}
  const bootstrap = nodes.map(({ host, port }) => ({ host, port }))
  // on some hosts, a node bound to 0.0.0.0 cannot be reached over loopback; if firewalled, its first connection often aborts
  if (nodes.every(({ host }) => isLoopback(host))) return { bootstrap, host: '127.0.0.1', firewalled: false }
  // without a NAT in between, two firewalled nodes of hyperdht 6.32.0 end up half connected: docs/upstream.md
  if (nodes.every(({ host }) => isPrivate(host))) return { bootstrap, firewalled: false }
  return { bootstrap }
}
