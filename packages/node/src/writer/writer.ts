import type { CoreKey, Framing, LogManifest, RoutingRule } from '@many-cores/protocol'

/** What is published: bytes, terminator included; a text stands for its UTF-8. */
export type Line = Uint8Array | string

export interface WriterOptions {
  /** Used when the log is created; another than the log's own is an error. Default: the log's own, else `byte-length:5`. */
  readonly routing?: RoutingRule
  /** Names of the data cores, as `routing` numbers them. Used when the log is created. Default: after the rule. */
  readonly names?: readonly string[]
  /** `newline` packs lines; `none` is for arbitrary bytes, an entry a block. Used when the log is created. Default `newline`. */
  readonly framing?: Framing
  /** Gives up opening. */
  readonly signal?: AbortSignal
}

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

export interface PublishOptions {
  /** Becomes durable in the same atom as the lines, or not at all. */
  readonly checkpoint?: Checkpoint
}

export interface PublishStreamOptions {
  /** Takes nothing more from the source; what was taken is made durable. */
  readonly signal?: AbortSignal
  /**
   * Becomes durable in the same atom as each batch. A byte stream that has one can be resumed: where it is aborted in the midst of a
   * line, that line is left to the stream that goes on.
   */
  readonly checkpoint?: StreamCheckpoint
}

export interface AcknowledgedOptions {
  /** Gives up: rejects with its reason. */
  readonly signal?: AbortSignal
}

/** Where published lines stand in the log. */
export interface Published {
  /** The position of the first. */
  readonly position: number
  readonly count: number
}

/** Publishes lines to the log of its node's store. Made by `openWriter`. */
export interface Writer {
  /** The key of the log: all that a reader needs. */
  readonly key: CoreKey
  readonly manifest: LogManifest
  /** Lines published and durable: the position of the next one. Grows before the first append where peers have more. */
  readonly length: number
  /**
   * Publishes `lines` as one atomic batch: resolves when all are durable, or rejects and none is. Calls made while a flush
   * is under way share the next one, in their order. Without lines, a checkpoint is stored alone. The lines are copied at once:
   * you can reuse their buffers.
   *
   * The first append waits until peers were asked whether they have more of the log: up to 0.5 s where there are none after a
   * clean end, up to 5 s after another; not at all for a new log.
   *
   * @throws ProtocolError `BAD_LINE`, `LINE_TOO_LONG` or `BATCH_TOO_LARGE`, NodeError `BAD_OPTION`, and nothing is published;
   * `STORE_FULL`, `REWRITTEN` or the like, after which the writer accepts nothing more; `STORE_REFUSED` where journal and cores do
   * not fit together, or peers have more and do not send it; `CLOSED`.
   */
  publish(lines: Iterable<Line>, options?: PublishOptions): Promise<Published>
  /**
   * Publishes line by line, in batches as they come, never waiting for more. Resolves when all are durable. A slow store slows the
   * source. When the writer closes before the source ends, the source is returned, what was taken is made durable, and the call
   * rejects with NodeError `CLOSED`.
   */
  publishStream(
    lines: AsyncIterable<Line> | Iterable<Line>,
    options?: PublishStreamOptions
  ): Promise<Published>
  /**
   * Publishes a byte stream, e.g. a process's standard input, cut into lines after each newline and at its end; otherwise as
   * `publishStream`. A chunk must not change before the next one is asked for.
   *
   * @throws as `publish`; what stands before the fault is durable. NodeError `BAD_OPTION` for a log of framing `none`.
   */
  publishBytes(source: AsyncIterable<Uint8Array>, options?: PublishStreamOptions): Promise<Published>
  /**
   * Resolves once `peers` peers have all that is durable now on their disks, the journal as well as every data core, to their
   * public keys: hex, as `Node.id`. A reader that follows the log from its start comes to hold everything; one of some cores alone
   * does not. Peers that do not sync what they store, plain Hypercore among them, do not count. `onStatus` of the node hears how
   * many are there.
   *
   * What it proves: the owner of each key pair has said so, over a connection that only they could have made. That nobody lies,
   * that a disk keeps what it synced, and that two key pairs are two people, it cannot prove. What was said counts, also of a peer
   * that has left since.
   *
   * @throws NodeError `BAD_OPTION` where `peers` is no number of peers; `CLOSED`.
   */
  acknowledged(peers: number, options?: AcknowledgedOptions): Promise<readonly string[]>
  /**
   * Resolves at `signal`, or when the writer is closed; until then it has nothing to do but to serve. Rejects with NodeError
   * `REWRITTEN` as soon as a second history of the log turns up (somebody else has its keys, or the store is an old copy), and as
   * `publish` where nothing could be appended.
   */
  serve(signal: AbortSignal): Promise<void>
  /** The checkpoint of this name as it was last made durable, or null. Throws NodeError `BAD_OPTION`. */
  checkpoint(name: string): Promise<Uint8Array | null>
  /** Makes durable what was published, then closes. Idempotent. The node stays open and goes on serving the log. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
