// All limits of the wire format. A decoder checks them first; an encoder never exceeds them.

/** A line, terminator included, in bytes. Source: Hypercore's `MAX_SUGGESTED_BLOCK_SIZE`, which `append` enforces. */
export const MAX_LINE_BYTES: number = 15 * 1024 * 1024

/** A block of several lines, in bytes. A larger block arrives late and takes memory until it is complete. */
export const MAX_BLOCK_BYTES: number = 1024 * 1024

/** All lines of a batch together, in bytes. More than the longest line, so that every line fits in a batch. */
export const MAX_BATCH_BYTES: number = 16 * 1024 * 1024

/** Lines in a batch. */
export const MAX_BATCH_LINES = 65_536

/** An encoded journal record, in bytes. The largest one (65,536 runs over 16,384 cores) has about 990,000. */
export const MAX_RECORD_BYTES: number = 1024 * 1024

/** An encoded bootstrap manifest, in bytes. */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

/** Data cores in a log. */
export const MAX_CORES = 16_384

/** One prefix of a `prefix` rule, in UTF-8 bytes. */
export const MAX_PREFIX_BYTES = 255

/** All prefixes of a rule together, in UTF-8 bytes: limits the trie that an untrusted manifest makes a reader build. */
export const MAX_PREFIXES_BYTES = 65_536

/** The separator of a `hash` rule, in UTF-8 bytes. */
export const MAX_SEPARATOR_BYTES = 64
