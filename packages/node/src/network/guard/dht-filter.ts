import type HyperDHT from 'hyperdht'

/** The first byte of a message of dht-rpc 6: its type. */
const REQUEST = 0x03
const RESPONSE = 0x13

/** Flags in the second byte: the parts that follow the transaction id and the address, in this order. */
const HAS_ID = 1
const HAS_TOKEN = 2
const HAS_NODES = 4
const IS_INTERNAL = 4
const HAS_TARGET = 8
const HAS_VALUE = 16

/** Where the parts begin. An id, a token, a target and a key have the same length. */
const PARTS_AT = 10
const KEY_BYTES = 32

/** The commands of HyperDHT 6 whose value begins with a peer. */
const ANNOUNCE = 4
const UNANNOUNCE = 5
const HAS_PEER = 1

/** A length that starts with this byte or more takes more bytes. Honest lists have up to 20 entries. */
const LONG = 0xfd

/**
 * From now on, `dht` drops messages that announce a long list. compact-encoding 3.5.2 allocates a million
 * entries before it checks whether there are any: 15 bytes from any host cost 8 ms, even if they answer no
 * request. To be called right after `dht` is made, which binds `onmessage` a tick later.
 */
export function filterDht({ io }: HyperDHT): void {
  const onmessage = io.onmessage.bind(io)
  io.onmessage = (socket, message, from) => {
    if (!hasLongList(message)) onmessage(socket, message, from)
  }
}

/** Whether a message of dht-rpc announces a list that is longer than any honest one. */
export function hasLongList(message: Uint8Array): boolean {
  const [type, flags = 0] = message
  if (type !== REQUEST && type !== RESPONSE) return false
  // no message needs more than five bits
  if (flags >= LONG) return true
  const at = PARTS_AT + (flags & HAS_ID ? KEY_BYTES : 0) + (flags & HAS_TOKEN ? KEY_BYTES : 0)
  if (type === RESPONSE) return (flags & HAS_NODES) !== 0 && isLong(message, at)
  return (flags & HAS_VALUE) !== 0 && (flags & IS_INTERNAL) === 0 && hasLongRelayList(message, at, flags)
}

/** Whether the request, with its command at `at`, announces a peer with a long list of relays. */
function hasLongRelayList(message: Uint8Array, at: number, flags: number): boolean {
  const command = message[at] ?? 0
  if (command >= LONG) return true
  if (command !== ANNOUNCE && command !== UNANNOUNCE) return false
  const value = at + 1 + (flags & HAS_TARGET ? KEY_BYTES : 0)
  const start = value + lengthBytes(message[value] ?? 0)
  const fields = message[start] ?? 0
  return fields >= LONG || ((fields & HAS_PEER) !== 0 && isLong(message, start + 1 + KEY_BYTES))
}

function isLong(message: Uint8Array, at: number): boolean {
  return (message[at] ?? 0) >= LONG
}

/** The size of a length that starts with this byte. */
function lengthBytes(first: number): number {
  return first < LONG ? 1 : 1 + 2 ** (first - LONG + 1)
}
