import type { HyperDHTOptions } from 'hyperdht'
import { type Address, isLoopback, isPrivate } from './address.ts'

/** Options for a DHT node that peers can reach; without `nodes`, a node of the public DHT. */
export function dhtOptions(nodes: readonly Address[]): HyperDHTOptions {
  if (nodes.length === 0) return {}
  const options = { bootstrap: nodes, firewalled: false }
  // on some hosts, 0.0.0.0 cannot be reached over loopback; firewalled, the first connection often aborts
  if (nodes.every(({ host }) => isLoopback(host))) return { ...options, host: '127.0.0.1' }
  // without a NAT in between, two firewalled nodes of hyperdht 6.32.0 end up half connected: docs/upstream.md
  return nodes.every(({ host }) => isPrivate(host)) ? options : { bootstrap: nodes }
}
