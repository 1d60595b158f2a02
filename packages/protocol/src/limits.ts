// Every bound of the wire format, in one place. A decoder checks them before it believes anything; an encoder never exceeds them.

/** A line, terminator included, in bytes. Source: Hypercore's `MAX_SUGGESTED_BLOCK_SIZE`, which `append` enforces. */
export const MAX_LINE_BYTES: number = 15 * 1024 * 1024

/** A packed block, in bytes, unless one line alone is longer. Larger blocks arrive late and waste memory while they travel. */
export const MAX_BLOCK_BYTES: number = 1024 * 1024

/** All lines of a batch together, in bytes: more than the longest line, so that every line fits a batch. */
export const MAX_BATCH_BYTES: number = 16 * 1024 * 1024

/** Lines of a batch. */
export const MAX_BATCH_LINES = 65_536

/** An encoded journal record, in bytes. The worst legal record (65,536 runs over 16,384 cores) takes about 990,000. */
export const MAX_RECORD_BYTES: number = 1024 * 1024

/** An encoded bootstrap manifest, in bytes. */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

/** Data cores of a log. */
export const MAX_CORES = 16_384

/** One prefix of a `prefix` rule, in UTF-8 bytes. */
export const MAX_PREFIX_BYTES = 255

/** All prefixes of a rule together, in UTF-8 bytes: bounds the trie that a stranger's manifest can make a reader build. */
export const MAX_PREFIXES_BYTES = 65_536

/** The separator of a `hash` rule, in UTF-8 bytes. */
export const MAX_SEPARATOR_BYTES = 64
