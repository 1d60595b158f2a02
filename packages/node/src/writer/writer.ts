import type { CoreKey, Framing, LogManifest, RoutingRule } from '@many-cores/protocol'
import type { AdoptOptions } from '../recovery/adopt-options.ts'

/** Bytes, terminator included. A string stands for its UTF-8. */
export type Line = Uint8Array | string

/** A log keeps the `routing`, `names` and `framing` that it is created with: to open it later with other values is an error. */
export interface WriterOptions {
  /** Default: `byte-length:5`. */
  readonly routing?: RoutingRule
  /** Names of the data cores, in the order of the rule. Default: names that fit the rule. */
  readonly names?: readonly string[]
  /** `newline` packs lines into blocks; `none` is for arbitrary bytes, one entry a block. Default: `newline`. */
  readonly framing?: Framing
  /**
   * Adopts a store that was copied, moved to another file system or restored from a backup: gets newer lines from peers, then
   * continues the log here. The original must not continue it. Default: a copy is refused.
   */
  readonly adopt?: AdoptOptions
  /**
   * How long the first line of a batch waits for more, in ms: fewer and larger batches make the store smaller and history faster. A full
   * batch, the end of a stream and `close` do not wait. Default: 0.
   */
  readonly linger?: number
  /** Aborts opening. */
  readonly signal?: AbortSignal
}

/** How far a source has been published. It is stored in the same atom as the lines. */
export interface Checkpoint {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string
  /** Anything that you need to resume the source, at most 4096 bytes. A string stands for its UTF-8. */
  readonly value: Uint8Array | string
}

/** The lines of a stream up to the end of a batch. */
export interface Progress {
  readonly lines: number
  /** The total length of these lines. */
  readonly bytes: number
  /** The last of these lines. */
  readonly last: Uint8Array
}

/** A checkpoint that moves with a stream. */
export interface StreamCheckpoint {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string
  /** The value at `progress`. Called once a batch. If it throws, the writer fails, as if the store could not be written. */
  readonly at: (progress: Progress) => Uint8Array | string
}

export interface PublishOptions {
  /** Stored in the same atom as the lines. */
  readonly checkpoint?: Checkpoint
}

export interface PublishStreamOptions {
  /** Stops reading the source. Lines that were read become durable. */
  readonly signal?: AbortSignal
  /**
   * Stored in the same atom as each batch. A byte stream with a checkpoint can be resumed: if it is aborted in the middle of a line,
   * that line is not published.
   */
  readonly checkpoint?: StreamCheckpoint
}

export interface AcknowledgedOptions {
  /** Stops waiting: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The positions of published lines. */
export interface Published {
  /** The position of the first line. */
  readonly position: number
  readonly count: number
}

/** Publishes lines to the log of its node's store. Created by `openWriter`. */
export interface Writer {
  /** The key of the log. A reader needs nothing else. */
  readonly key: CoreKey
  readonly manifest: LogManifest
  /** The number of durable lines, which is the position of the next one. Recovery from peers can raise it before the first append. */
  readonly length: number
  /**
   * Publishes `lines`, a list and not a string, as one atomic batch: resolves when all are durable, or rejects and none is. Calls made during a flush share the
   * next one, in their order; with `linger`, so do calls made within that time. Without lines, only the checkpoint is stored, at once. The
   * lines are copied at once: you can reuse their buffers.
   *
   * The first append waits until peers were checked for newer lines. If none is found, that takes up to 0.5 s after a clean shutdown
   * and up to 5 s after an unclean one. A new log does not wait.
   *
   * @throws ProtocolError `BAD_LINE`, `LINE_TOO_LONG` or `BATCH_TOO_LARGE`, NodeError `BAD_OPTION`: nothing of the call is published.
   * NodeError `STORE_FULL`, `REWRITTEN` or the like: the writer accepts nothing more. `STORE_REFUSED`: journal and data cores do not
   * fit together, or peers have newer lines and do not send them. `CLOSED`.
   */
  publish(lines: Iterable<Line> & object, options?: PublishOptions): Promise<Published>
  /**
   * Publishes lines as they come, in batches, and waits to fill one for at most `linger`. Resolves when all are durable. A slow store
   * slows the source down. If the writer closes before the source ends, it returns the source, makes durable what it has read, and the
   * call rejects with NodeError `CLOSED`.
   */
  publishStream(
    lines: (AsyncIterable<Line> | Iterable<Line>) & object,
    options?: PublishStreamOptions
  ): Promise<Published>
  /**
   * Publishes a byte stream, such as standard input, split into lines after each newline and at its end. Otherwise like
   * `publishStream`. A chunk must not change before the next one is requested.
   *
   * @throws as `publish`; the lines before the fault are durable. NodeError `BAD_OPTION` for a log with framing `none`.
   */
  publishBytes(source: AsyncIterable<Uint8Array>, options?: PublishStreamOptions): Promise<Published>
  /**
   * Resolves once `peers` peers have everything on disk that is durable now, in the journal and every data core, to their public keys
   * in hex, as in `Node.id`. A reader that follows the whole log gets there; one that follows some cores does not. Peers that do not
   * sync what they store, such as plain Hypercore, do not count. A peer that acknowledged counts even if it has left since. The status
   * `acknowledging` reports the number of peers.
   *
   * The owner of each key has acknowledged, over an authenticated connection. This cannot prove that a peer is honest, that its disk
   * keeps what it synced, or that two keys are two people.
   *
   * @throws NodeError `BAD_OPTION` if `peers` is not a whole number of 0 or more; `CLOSED`.
   */
  acknowledged(peers: number, options?: AcknowledgedOptions): Promise<readonly string[]>
  /**
   * Resolves when `signal` aborts or the writer closes; until then the log is served. Rejects with NodeError `REWRITTEN` as soon as
   * the log has forked (another process has its keys, or the store is an old copy), and as `publish` if nothing can be appended.
   */
  serve(signal: AbortSignal): Promise<void>
  /** The last durable checkpoint of this name, or null. Throws NodeError `BAD_OPTION`. */
  checkpoint(name: string): Promise<Uint8Array | null>
  /** Makes durable what was published, then closes. Idempotent. The node stays open and serves the log. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
