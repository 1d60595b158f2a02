import { randomBytes, randomInt } from 'node:crypto'

/** The first byte of a dht-rpc message, … */
const REQUEST = 0x03
const RESPONSE = 0x13

/** … and its flags. */
const HAS_TOKEN = 2
const HAS_NODES = 4
const IS_INTERNAL = 4
const HAS_TARGET = 8
const HAS_VALUE = 16

/** Commands of dht-rpc itself, … */
const PING = 0
const FIND_NODE = 2
const DELAYED_PING = 4

/** … and of HyperDHT. */
const HANDSHAKE = 0
const HOLEPUNCH = 1
const LOOKUP = 3
const ANNOUNCE = 4
const UNANNOUNCE = 5

const MAX_DATAGRAM = 65_507

/** About a million, which compact-encoding still accepts as the length of a list. */
const MILLION = Buffer.from([0xfe, 0xff, 0xff, 0x0f, 0x00])

/** The largest number of compact-encoding. */
const MAX_NUMBER = Buffer.alloc(9, 0xff)

/** Datagrams that anyone can send to a node's port, by their fault. */
export const DATAGRAMS: Readonly<Record<string, () => Buffer>> = {
  noise: () => randomBytes(size()),
  'requests of noise': () => Buffer.concat([Buffer.of(REQUEST), randomBytes(size())]),
  'responses of noise': () => Buffer.concat([Buffer.of(RESPONSE), randomBytes(size())]),
  'values of endless length': () =>
    Buffer.concat([head(REQUEST, HAS_VALUE), Buffer.of(randomInt(256)), MAX_NUMBER, randomBytes(40)]),
  'responses with a million nodes': () => Buffer.concat([head(RESPONSE, HAS_NODES), MILLION]),
  'responses with a million nodes and a token': () =>
    Buffer.concat([head(RESPONSE, HAS_NODES | HAS_TOKEN), randomBytes(32), MILLION]),
  'announcements with a million relays': () =>
    request(
      randomInt(2) === 0 ? ANNOUNCE : UNANNOUNCE,
      0,
      Buffer.concat([Buffer.of(1), randomBytes(32), MILLION])
    ),
  handshakes: () => request(HANDSHAKE, 0, randomBytes(randomInt(1000))),
  holepunches: () => request(HOLEPUNCH, 0, randomBytes(randomInt(1000))),
  lookups: () => request(LOOKUP, 0, Buffer.alloc(0)),
  questions: () => request(randomInt(2) === 0 ? PING : FIND_NODE, IS_INTERNAL, Buffer.alloc(0)),
  'pings to be answered after 10 s': pingLater,
  'pings to be answered after 49 days': () => request(DELAYED_PING, IS_INTERNAL, Buffer.alloc(4, 0xff)),
  'packets of streams': () => packet(randomInt(64)),
  'packets that acknowledge packets that were never sent': () => packet(4, randomBytes(8 * randomInt(150)))
}

export function pingLater(): Buffer {
  return request(DELAYED_PING, IS_INTERNAL, seconds(10))
}

function size(): number {
  return randomInt(20) === 0 ? randomInt(MAX_DATAGRAM) : randomInt(1400)
}

/** Type, flags, request id, and recipient. */
function head(type: number, flags: number): Buffer {
  return Buffer.concat([Buffer.of(type, flags), randomBytes(8)])
}

/** A request with a random target and a `value` of up to 64 KiB. */
function request(command: number, flags: number, value: Buffer): Buffer {
  const length = Buffer.of(0xfd, value.byteLength & 0xff, value.byteLength >> 8)
  const all = flags | HAS_TARGET | HAS_VALUE
  return Buffer.concat([head(REQUEST, all), Buffer.of(command), randomBytes(32), length, value])
}

/** A delay, padded to the size of a large datagram. */
function seconds(count: number): Buffer {
  const bytes = Buffer.alloc(1200)
  bytes.writeUInt32LE(count * 1000)
  return bytes
}

/** A packet of UDX: its streams have ids of 32 bits, and its packets no proof of their sender. */
function packet(type: number, rest: Buffer = randomBytes(randomInt(1400))): Buffer {
  return Buffer.concat([Buffer.of(0xff, 1, type, randomInt(256)), randomBytes(16), rest])
}
