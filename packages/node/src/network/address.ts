import { lookup } from 'node:dns/promises'
import { isIPv4 } from 'node:net'
import { NodeError } from '../errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Parses `host:port`, or `port` alone. HyperDHT 6 has no IPv6. Throws NodeError `BAD_OPTION`. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?<host>[^\s:,@]+):)?(?<port>\d{1,5})$/.exec(text)
  const port = Number(match?.groups?.port)
  if (match === null || port < 1 || port > 65_535) {
    throw new NodeError(
      'BAD_OPTION',
      `invalid DHT node address ${JSON.stringify(text)}: expected host:port with a name or an IPv4 address, such as 127.0.0.1:49737`
    )
  }
  return { host: match.groups?.host ?? '127.0.0.1', port }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether the host is in a private network, which no NAT separates from this machine. */
export function isPrivate(host: string): boolean {
  if (isLoopback(host)) return true
  return isIPv4(host) && /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host)
}

/** Why these hosts cannot be asked: their names cannot be resolved. Null if all can be. */
export async function whyUnresolved(addresses: readonly Address[]): Promise<string | null> {
  const hosts = [...new Set(addresses.map(({ host }) => host))]
  const isResolved = (host: string): Promise<boolean> =>
    lookup(host, { family: 4 }).then(
      () => true,
      () => false
    )
  const resolved = await Promise.all(hosts.map(isResolved))
  const failed = hosts.filter((_, index) => resolved[index] === false)
  return failed.length === 0 ? null : `the host name ${failed.join(', ')} cannot be resolved`
}
