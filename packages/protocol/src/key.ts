import b4a from 'b4a'
import z32 from 'z32'
import { ProtocolError } from './errors.ts'

declare const brand: unique symbol

/** A core's key: 64 lower-case hex digits, checked by `parseKey`. */
export type CoreKey = string & { readonly [brand]: 'CoreKey' }

/** A key's length in bytes. */
export const KEY_BYTES = 32

const HEX = /^[0-9a-f]{64}$/
const Z32 = /^[ybndrfg8ejkmcpqxot1uwisza345h769]{52}$/
const SCHEME = 'pear://'

/**
 * Reads a key as people paste it: 64 hex digits or 52 characters of z-base-32, upper or lower case, with or without
 * `pear://`, with white space around it.
 *
 * @throws ProtocolError `BAD_KEY`. The message never repeats the key: anyone who has it can read the log.
 */
export function parseKey(text: string): CoreKey {
  // plain JavaScript may pass anything
  const bare = typeof text === 'string' ? stripScheme(text.trim().toLowerCase()) : ''
  if (HEX.test(bare)) return bare as CoreKey
  if (Z32.test(bare)) return decodeZ32(bare)
  throw new ProtocolError(
    'BAD_KEY',
    `not a key: ${describe(bare)}; expected 64 hex digits or 52 characters of z-base-32`
  )
}

/** The key as 64 lower-case hex digits, or as 52 characters of z-base-32. */
export function formatKey(key: CoreKey, encoding: 'hex' | 'z32' = 'hex'): string {
  return encoding === 'hex' ? key : z32.encode(keyToBytes(key))
}

/** The key's 32 bytes, a new copy each time. */
export function keyToBytes(key: CoreKey): Uint8Array {
  return b4a.from(key, 'hex')
}

/**
 * The key with these 32 bytes.
 *
 * @throws ProtocolError `BAD_KEY` for any other length.
 */
export function keyFromBytes(bytes: Uint8Array): CoreKey {
  if (bytes.byteLength !== KEY_BYTES) {
    throw new ProtocolError('BAD_KEY', `not a key: ${bytes.byteLength} bytes; expected ${KEY_BYTES}`)
  }
  return b4a.toString(bytes, 'hex') as CoreKey
}

function decodeZ32(text: string): CoreKey {
  const bytes = z32.decode(text)
  // 52 characters hold 260 bits. The last four must be zero: a key has one spelling
  if (z32.encode(bytes.subarray(0, KEY_BYTES)) !== text) {
    throw new ProtocolError(
      'BAD_KEY',
      'not a key: its last z-base-32 character is wrong; check that the key is complete'
    )
  }
  return keyFromBytes(bytes.subarray(0, KEY_BYTES))
}

function stripScheme(text: string): string {
  const bare = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text
  return bare.endsWith('/') ? bare.slice(0, -1) : bare
}

function describe(text: string): string {
  if (text.length === 0) return 'empty'
  if (text.length === 64) return 'one of its 64 characters is not a hex digit'
  if (text.length === 52) return 'one of its 52 characters is not in z-base-32'
  return `${text.length} character${text.length === 1 ? '' : 's'}`
}
