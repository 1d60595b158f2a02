import type { Socket } from 'node:dgram'

/** No message of multicast DNS is longer, its IP header included (RFC 6762, 17). */
const MAX_BYTES = 9000

/** A header names how many questions and records follow, in four numbers from here on. */
const COUNTS_AT = 4
const HEADER_BYTES = 12

/** A name of one byte, type and class; … */
const MIN_QUESTION_BYTES = 5

/** … and of a record, how long it lives and how long it is. */
const MIN_RECORD_BYTES = 11

/** From here on, a byte of a name begins a pointer to another name. */
const POINTER = 0xc0

/** Pointers times records: what decoding costs at most; some half a millisecond. An honest message takes a few hundred. */
const MAX_STEPS = 65_536

/**
 * From now on, whoever listens to `socket` for multicast DNS hears only what has `label` as part of a name and can be decoded
 * at a bounded cost. dns-packet 5.6.1 takes 3 ms for 12 bytes that announce 262,140 records, and 600 ms for 64 KB of pointers
 * to pointers: a few such datagrams a second, which anybody in the network can send, would take all of a processor.
 */
export function siftMessages(socket: Socket, label: string): void {
  const listeners = socket.listeners('message')
  socket.removeAllListeners('message')
  socket.on('message', (message, from) => {
    if (!isWorthDecoding(message, label)) return
    for (const listener of listeners) listener.call(socket, message, from)
  })
}

/** Whether a datagram is about `label`, and costs little to decode, whether it can be or not. */
export function isWorthDecoding(message: Buffer, label: string): boolean {
  if (message.byteLength < HEADER_BYTES || message.byteLength > MAX_BYTES) return false
  const questions = message.readUInt16BE(COUNTS_AT)
  const records = [1, 2, 3].reduce((sum, list) => sum + message.readUInt16BE(COUNTS_AT + 2 * list), 0)
  const least = HEADER_BYTES + questions * MIN_QUESTION_BYTES + records * MIN_RECORD_BYTES
  if (least > message.byteLength || !message.includes(label, HEADER_BYTES, 'latin1')) return false
  let pointers = 0
  for (const byte of message) if (byte >= POINTER) pointers++
  return pointers * (questions + records) <= MAX_STEPS
}
