import type { Socket } from 'node:dgram'

/** The longest message of multicast DNS, its IP header included (RFC 6762, 17). */
const MAX_BYTES = 9000

/** A header holds the numbers of questions and of three kinds of records from here on. */
const COUNTS_AT = 4
const HEADER_BYTES = 12

/** A name of one byte, a type and a class; for a record, also a TTL and a length. */
const MIN_QUESTION_BYTES = 5
const MIN_RECORD_BYTES = 11

/** In a name, a byte of this value or higher begins a pointer to another name. */
const POINTER = 0xc0

/** The limit on pointers times records: half a millisecond. Honest messages take a few hundred. */
const MAX_STEPS = 65_536

/**
 * From now on, the message listeners of `socket` get only datagrams that contain `label` and are cheap to
 * decode. dns-packet 5.6.1 takes 3 ms for 12 bytes that announce 262,140 records, and 600 ms for 64 KB of
 * pointers to pointers: a few of them a second, from any host, would keep a processor busy.
 */
export function filterMdns(socket: Socket, label: string): void {
  const listeners = socket.listeners('message')
  socket.removeAllListeners('message')
  socket.on('message', (message, from) => {
    if (!shouldDecode(message, label)) return
    for (const listener of listeners) listener.call(socket, message, from)
  })
}

/** Whether a datagram contains `label` and is cheap to decode; it may still be malformed. */
export function shouldDecode(message: Buffer, label: string): boolean {
  if (message.byteLength < HEADER_BYTES || message.byteLength > MAX_BYTES) return false
  const questions = message.readUInt16BE(COUNTS_AT)
  const records = [1, 2, 3].reduce((sum, list) => sum + message.readUInt16BE(COUNTS_AT + 2 * list), 0)
  const least = HEADER_BYTES + questions * MIN_QUESTION_BYTES + records * MIN_RECORD_BYTES
  if (least > message.byteLength || !message.includes(label, HEADER_BYTES, 'latin1')) return false
  let pointers = 0
  for (const byte of message) if (byte >= POINTER) pointers++
  return pointers * (questions + records) <= MAX_STEPS
}
