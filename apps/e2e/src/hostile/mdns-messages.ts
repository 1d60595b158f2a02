import { randomBytes, randomInt } from 'node:crypto'
import { header, name, PTR, pointer, question, record, SRV, service, TXT, texts } from './dns.ts'

const TYPE = '_many-cores._tcp.local'
const MAX_DATAGRAM = 65_507

/** The offset of the first name in a message. */
const FIRST = 12

/** The largest offset of a DNS pointer, which has 14 bits. */
const MAX_OFFSET = 0x3ffe

/** Messages that anyone in the network can send by multicast DNS, by their fault. */
export const MESSAGES: Readonly<Record<string, () => Buffer>> = {
  noise: () => randomBytes(randomInt(10) === 0 ? randomInt(MAX_DATAGRAM) : randomInt(1400)),
  'noise after our name': () =>
    Buffer.concat([header({ answers: 3 }), name(TYPE), randomBytes(randomInt(1400))]),
  // 12 bytes, for which dns-packet 5.6.1 allocates 262,140 records
  'counts of missing records': () => header({ answers: 65_535, others: 65_535 }),
  'counts after our name': () => Buffer.concat([header({ answers: 65_535, others: 65_535 }), name(TYPE)]),
  'pointers to pointers': () => chain(9000),
  'pointers to pointers, 64 KB': () => chain(MAX_DATAGRAM),
  'countless services': () => countless(9000),
  'countless services, 64 KB': () => countless(MAX_DATAGRAM),
  questions: () => Buffer.concat([header({ questions: 1 }), question(name(TYPE), PTR)])
}

/** A response that claims that `peers` have `log`, at `port`. */
export function forgery(log: string, peers: readonly string[], port: number): Buffer {
  const records = peers.flatMap((peer) => {
    const own = `${peer.slice(0, 16)}-${log.slice(0, 16)}.${TYPE}`
    return [
      record(name(TYPE), PTR, name(own)),
      record(name(own), SRV, service(port, name('attacker.local'))),
      record(name(own), TXT, texts(`log=${log}`, `peer=${peer}`))
    ]
  })
  return Buffer.concat([header({ answers: records.length }), ...records])
}

/** Records whose name is a long chain of pointers. A decoder follows the whole chain for each. */
function chain(bytes: number): Buffer {
  const links: Buffer[] = [name(TYPE)]
  let last = FIRST
  let at = FIRST + (links[0]?.byteLength ?? 0) + 11
  for (; at < Math.min(bytes / 3, MAX_OFFSET); at += 2) {
    links.push(pointer(last))
    last = at
  }
  const [first = Buffer.alloc(0), ...rest] = links
  const carrier = record(first, 10, Buffer.concat(rest))
  const one = record(pointer(last), 10, Buffer.alloc(0))
  const count = Math.floor((bytes - FIRST - carrier.byteLength) / one.byteLength)
  return Buffer.concat([header({ answers: 1 + count }), carrier, ...Array.from({ length: count }, () => one)])
}

/** As many services as fit, all incomplete. */
function countless(bytes: number): Buffer {
  const first = record(name(TYPE), PTR, pointer(FIRST))
  const one = record(pointer(FIRST), PTR, pointer(FIRST))
  const count = Math.floor((bytes - FIRST - first.byteLength) / one.byteLength)
  return Buffer.concat([header({ answers: 1 + count }), first, ...Array.from({ length: count }, () => one)])
}
