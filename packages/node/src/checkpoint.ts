/** How far a source has been published: kept in the store, durable in the same atom as the lines that it stands behind. */
export interface Checkpoint {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string
  /** Whatever its owner needs to go on; a text stands for its UTF-8. At most 4096 bytes. */
  readonly value: Uint8Array | string
}

/** How far a stream has come with the lines of a batch. */
export interface Progress {
  /** Lines of the stream, up to and with this batch. */
  readonly lines: number
  /** Their bytes. */
  readonly bytes: number
  /** The last of them. */
  readonly last: Uint8Array
}

/** A checkpoint that moves with a stream. */
export interface StreamCheckpoint {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string
  /** The value at `progress`. Called once a batch; what it throws fails the writer, like a store that cannot be written. */
  readonly at: (progress: Progress) => Uint8Array | string
}
