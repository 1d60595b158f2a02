const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/**
 * Kafka's 32-bit murmur2 of `bytes[start, end)`, as a signed number. Source: `org.apache.kafka.common.utils.Utils.murmur2`,
 * which fixes the seed; `fixtures/murmur2.json` has its test vectors.
 */
export function murmur2(bytes: Uint8Array, start = 0, end: number = bytes.byteLength): number {
  const length = end - start
  const tail = start + (length & ~3)
  let hash = SEED ^ length
  for (let at = start; at < tail; at += 4) hash = Math.imul(hash, M) ^ mix(readInt32(bytes, at))
  for (let at = end - 1; at >= tail; at--) hash ^= (bytes[at] as number) << ((at - tail) * 8)
  if (tail < end) hash = Math.imul(hash, M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

function mix(word: number): number {
  const product = Math.imul(word, M)
  return Math.imul(product ^ (product >>> R), M)
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}
