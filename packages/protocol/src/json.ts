import { ProtocolError, type ProtocolErrorCode } from './errors.ts'

// Shared by the decoders of block 0 and of the journal.

const MAX_QUOTED = 60

export interface JsonObject {
  readonly [member: string]: unknown
}

export interface JsonSource {
  /** What the bytes should be, for messages. */
  readonly what: string
  readonly code: ProtocolErrorCode
  readonly maxBytes: number
}

// fatal: invalid UTF-8 is refused, not replaced; ignoreBOM: a byte order mark is kept, and JSON.parse refuses it
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The JSON object in `bytes`, its members unchecked. */
export function decodeJsonObject(bytes: Uint8Array, { what, code, maxBytes }: JsonSource): JsonObject {
  if (bytes.byteLength > maxBytes) {
    throw new ProtocolError(code, `${what} has ${bytes.byteLength} bytes; at most ${maxBytes} are allowed`)
  }
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(bytes))
  } catch (cause) {
    throw new ProtocolError(code, `${what} is not JSON`, { cause })
  }
  if (!isJsonObject(value)) throw new ProtocolError(code, `${what} is JSON, but not an object`)
  return value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `Array.isArray` with unknown elements instead of any. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

/** A whole number from 0 to 2^53 - 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** `value` for a message: shortened, and lists and objects not entered, which may be nested a million deep. */
export function quote(value: unknown): string {
  if (typeof value === 'object' && value !== null) return isList(value) ? 'a list' : 'an object'
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, MAX_QUOTED) : value) ?? 'undefined'
  return typeof value === 'string' && value.length > MAX_QUOTED ? `${text}…` : text
}
