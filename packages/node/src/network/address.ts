import { isIPv4 } from 'node:net'
import { NodeError } from '../errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** The parts of `host:port`, or of `port` alone; HyperDHT 6 knows no IPv6. Throws NodeError `BAD_OPTION`. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?<host>[^\s:,@]+):)?(?<port>\d{1,5})$/.exec(text)
  const port = Number(match?.groups?.port)
  if (match === null || port < 1 || port > 65_535) {
    throw new NodeError(
      'BAD_OPTION',
      `${JSON.stringify(text)} is no address of a DHT node: it is host:port, with a name or an IPv4 address, e.g. 127.0.0.1:49737`
    )
  }
  return { host: match.groups?.host ?? '127.0.0.1', port }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether the address is one of a private network: what it reaches, it reaches without the internet. */
export function isPrivate(host: string): boolean {
  if (isLoopback(host)) return true
  return isIPv4(host) && /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host)
}
