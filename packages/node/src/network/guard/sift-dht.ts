import type HyperDHT from 'hyperdht'

/** What the first byte of dht-rpc 6 says, … */
const REQUEST = 0x03
const RESPONSE = 0x13

/** … and the second: which parts follow the number and the address, in this order. */
const HAS_ID = 1
const HAS_TOKEN = 2
const HAS_NODES = 4
const IS_INTERNAL = 4
const HAS_TARGET = 8
const HAS_VALUE = 16

/** Where the parts begin; an id, a token, a target and a key have the same length. */
const PARTS_AT = 10
const KEY_BYTES = 32

/** The commands whose value begins with a peer, in HyperDHT 6. */
const ANNOUNCE = 4
const UNANNOUNCE = 5
const HAS_PEER = 1

/** From here on, the first byte of a number says how long it is: honest lists have up to 20 entries. */
const LONG = 0xfd

/**
 * From now on, `dht` takes no message for true that announces a long list. compact-encoding 3.5.2 makes room for a million
 * entries before it looks whether there are any: 15 bytes from anywhere cost 8 ms, whether they answer a request or not. To be
 * called right after `dht` is made: it takes hold of `onmessage` a tick later.
 */
export function siftDht({ io }: HyperDHT): void {
  const hear = io.onmessage.bind(io)
  io.onmessage = (socket, message, from) => {
    if (!announcesMuch(message)) hear(socket, message, from)
  }
}

/** Whether a list in a message of dht-rpc says that it is longer than any is. */
export function announcesMuch(message: Uint8Array): boolean {
  const [type, flags = 0] = message
  if (type !== REQUEST && type !== RESPONSE) return false
  // the flags of either need no more than five bits
  if (flags >= LONG) return true
  const at = PARTS_AT + (flags & HAS_ID ? KEY_BYTES : 0) + (flags & HAS_TOKEN ? KEY_BYTES : 0)
  if (type === RESPONSE) return (flags & HAS_NODES) !== 0 && isLong(message, at)
  return (flags & HAS_VALUE) !== 0 && (flags & IS_INTERNAL) === 0 && announcesRelays(message, at, flags)
}

/** Whether the request whose command is at `at` is to announce a peer with a long list of relays. */
function announcesRelays(message: Uint8Array, at: number, flags: number): boolean {
  const command = message[at] ?? 0
  if (command >= LONG) return true
  if (command !== ANNOUNCE && command !== UNANNOUNCE) return false
  const value = at + 1 + (flags & HAS_TARGET ? KEY_BYTES : 0)
  const start = value + lengthOfNumber(message[value] ?? 0)
  const fields = message[start] ?? 0
  return fields >= LONG || ((fields & HAS_PEER) !== 0 && isLong(message, start + 1 + KEY_BYTES))
}

function isLong(message: Uint8Array, at: number): boolean {
  return (message[at] ?? 0) >= LONG
}

/** Of a number whose first byte this is. */
function lengthOfNumber(first: number): number {
  return first < LONG ? 1 : 1 + 2 ** (first - LONG + 1)
}
