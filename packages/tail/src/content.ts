import type { FoundFile } from './listing.ts'
import type { Mark } from './mark.ts'

/** At most this much is read at once. */
export const CHUNK_BYTES: number = 1024 * 1024

/** The bytes of an open file, plain or packed. */
export interface Content {
  readonly isPacked: boolean
  /**
   * The bytes after `mark`, up to a chunk, without moving on; null if there are none. The same bytes come again until `mark` moves.
   * `'cut'` if the file no longer has what was read of it.
   */
  peek(mark: Mark): Promise<Uint8Array | null | 'cut'>
  /** The file as it is now; null for one that will not change. */
  stat(): Promise<(FoundFile & { readonly isGone: boolean }) | null>
  /** When it had been written last, in ns since 1970, at the last `peek`; null before, and of a packed file. */
  readonly written: bigint | null
  /** Whether it has holes: bytes that were never written, and are read as NUL. */
  isSparse(): Promise<boolean>
  close(): Promise<void>
}
