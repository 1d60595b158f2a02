import {
  type CoreKey,
  checkLine,
  createRouter,
  type Framing,
  type LogManifest,
  MAX_BATCH_BYTES,
  MAX_BATCH_LINES,
  ProtocolError,
  type RoutingRule
} from '@many-cores/protocol'
import b4a from 'b4a'
import type { Checkpoint, StreamCheckpoint } from './checkpoint.ts'
import { NodeError, translate } from './errors.ts'
import { type Internals, internalsOf } from './internals.ts'
import { watchLog } from './log-watch.ts'
import type { Node } from './node.ts'
import { heal, healJournal, isBehind, meetPeers } from './recovery/compare.ts'
import { findTail, storedPosition, type Tail, unfit } from './recovery/tail.ts'
import { untilHeld } from './writer/acknowledgements.ts'
import { Appender } from './writer/appender.ts'
import { checkCheckpointName, encodeCheckpoint, readCheckpoint } from './writer/checkpoints.ts'
import { type Lines, oneLine, splitLines } from './writer/lines.ts'
import { openLog, type WritableLog } from './writer/log.ts'
import { BatchQueue, type PendingBatch } from './writer/queue.ts'
import { gather, until } from './writer/streams.ts'

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

/** How long the first append waits for peers where there are none, after a clean end and after another. */
const CLEAN_PATIENCE_MS = 500
const PATIENCE_MS = 5000

/**
 * Opens the log of the node's store for writing, and creates it where there is none. Peers can find it from then on. A node has
 * one writer at a time.
 *
 * @throws NodeError `RULE_MISMATCH` where the log has another rule, names or framing than asked for; `STORE_REFUSED` where
 * the store was made by other software or has lost block 0; `STORE_IN_USE` where the node has a writer; `CLOSED`; ProtocolError
 * `BAD_RULE`.
 */
export async function openWriter(node: Node, options: WriterOptions = {}): Promise<Writer> {
  options.signal?.throwIfAborted()
  const internals = internalsOf(node)
  const giveBack = internals.takeLog()
  try {
    return await internals.children.adopt(async (closing) => {
      const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
      return await openLogWriter(internals, { ...options, signal, giveBack })
    })
  } catch (error) {
    giveBack()
    options.signal?.throwIfAborted()
    throw translate(error)
  }
}

async function openLogWriter(
  internals: Internals,
  options: WriterOptions & { readonly signal: AbortSignal; readonly giveBack: () => void }
): Promise<Writer> {
  const { isNew, join } = internals
  const { signal, giveBack } = options
  const log = await openLog(internals, {
    ...options,
    findManifest: async (bootstrap) => {
      if (isNew) return
      await meetPeers(bootstrap, internals, { patience: PATIENCE_MS, signal })
      await healJournal(bootstrap, 0, signal)
    }
  })
  try {
    signal.throwIfAborted()
    await join(log.bootstrap)
    return new LogWriter(log, internals, await storedPosition(log), giveBack)
  } catch (error) {
    await log.close()
    throw error
  }
}

/** What appends, once it is known where the log goes on. */
interface Appending {
  readonly queue: BatchQueue
  readonly appender: Appender
}

class LogWriter implements Writer {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly #log: WritableLog
  readonly #internals: Internals
  readonly #ending = new AbortController()
  readonly #giveBack: () => void
  readonly #unwatch: () => void
  /** Where the log goes on, by what peers say; looked at again before the first append. */
  readonly #settled: Promise<Tail>
  #starting: Promise<Appending> | null = null
  #appending: Appending | null = null
  #length: number
  #time = 0
  #flushing: Promise<void> | null = null
  #fault: Error | null = null
  /** Aborted with the fault. */
  readonly #failing = new AbortController()
  #closing: Promise<void> | null = null

  constructor(log: WritableLog, internals: Internals, length: number, giveBack: () => void) {
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#internals = internals
    this.#length = length
    this.#giveBack = giveBack
    this.#unwatch = watchLog(internals, log, (fault) => this.#fail(fault))
    this.#settled = this.#settle()
    this.#settled.catch((error: unknown) => this.#fail(error))
  }

  get length(): number {
    return this.#length
  }

  async publish(lines: Iterable<Line>, { checkpoint }: PublishOptions = {}): Promise<Published> {
    this.#checkOpen()
    if (typeof lines === 'string' || lines instanceof Uint8Array)
      throw new NodeError('BAD_OPTION', 'publish takes a list of lines; for one line: publish([line])')
    const mark = constant(checkpoint)
    let entries: Lines[] = []
    let bytes = 0
    for (const line of lines) {
      const entry = this.#entry(line)
      bytes += entry.bytes.byteLength
      if (entries.push(entry) > MAX_BATCH_LINES || bytes > MAX_BATCH_BYTES) throw tooLarge()
    }
    const count = entries.length
    if (count === 0 && mark === null) return { position: this.#length, count: 0 }
    let appending = this.#appending
    if (appending === null) {
      // they wait, and their owner may change them
      entries = entries.map((entry) => oneLine([b4a.from(entry.bytes)]))
      appending = await this.#start()
    }
    const { queue } = appending
    const batch = queue.batchFor(count, bytes)
    const position = batch.end
    for (const entry of entries) batch.add(entry)
    if (mark !== null) batch.mark(...mark)
    this.#beginFlush()
    await batch.durable
    return { position, count }
  }

  publishStream(
    lines: AsyncIterable<Line> | Iterable<Line>,
    { signal, checkpoint }: PublishStreamOptions = {}
  ): Promise<Published> {
    return this.#publishAll(this.#entries(until(lines, this.#stop(signal))), checkpoint)
  }

  async publishBytes(
    source: AsyncIterable<Uint8Array>,
    { signal, checkpoint }: PublishStreamOptions = {}
  ): Promise<Published> {
    if (this.manifest.framing !== 'newline') {
      throw new NodeError(
        'BAD_OPTION',
        'a byte stream cannot be cut into the entries of a log with framing none: publish them one by one'
      )
    }
    const stop = this.#stop(signal)
    const takesRest = (): boolean => checkpoint === undefined || !stop.aborted
    return await this.#publishAll(splitLines(until(source, stop), takesRest), checkpoint)
  }

  async serve(signal: AbortSignal): Promise<void> {
    const end = this.#stop(signal)
    if (!end.aborted) await new Promise((resolve) => end.addEventListener('abort', resolve, { once: true }))
    if (!signal.aborted && this.#fault !== null) throw this.#fault
  }

  async acknowledged(peers: number, { signal }: AcknowledgedOptions = {}): Promise<readonly string[]> {
    this.#checkOpen()
    if (!Number.isSafeInteger(peers) || peers < 0)
      throw new NodeError('BAD_OPTION', `${peers} is no number of peers`)
    const { bootstrap, manifest, openCore } = this.#log
    const { peers: connected, onStatus } = this.#internals
    try {
      await this.#settled
      const data = await Promise.all(manifest.cores.map((_, index) => openCore(index)))
      return await untilHeld(
        // a core that nobody has written to is nothing to hold
        [bootstrap, ...data].filter((core) => core.length > 0),
        {
          peers,
          signal: this.#stop(signal),
          isCounted: connected.isSyncing,
          onHolding: (holding) => onStatus({ state: 'acknowledging', holding, peers })
        }
      )
    } catch (error) {
      signal?.throwIfAborted()
      this.#checkOpen()
      throw translate(error)
    }
  }

  checkpoint(name: string): Promise<Uint8Array | null> {
    return readCheckpoint(this.#log.bootstrap, name)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    this.#ending.abort(closed())
    await this.#settled.catch(ignore)
    // what was published goes on from there
    await this.#starting?.catch(ignore)
    await this.#flushing
    this.#unwatch()
    this.#internals.children.forget(this)
    await this.#appending?.appender.close()
    await this.#log.close()
    this.#giveBack()
  }

  async #publishAll(source: AsyncIterable<Lines>, checkpoint?: StreamCheckpoint): Promise<Published> {
    this.#checkOpen()
    if (checkpoint !== undefined) checkCheckpointName(checkpoint.name)
    // nothing is taken from the source that may never be appended
    const { queue } = await this.#start()
    this.#checkOpen()
    const { position, count } = await gather(source, queue, {
      checkpoint,
      onlines: () => this.#checkOpen(),
      onbatch: () => this.#beginFlush()
    })
    this.#checkOpen()
    return { position: position ?? this.#length, count }
  }

  /** Nothing is accepted any more, for the first reason that there was. */
  #fail(error: unknown): void {
    if (this.#closing !== null) return
    this.#fault ??= translate(error)
    this.#internals.end.doubt()
    this.#failing.abort(this.#fault)
  }

  #beginFlush(): void {
    this.#flushing ??= this.#flush()
  }

  /** Group commit: while one batch is being flushed the next one gathers. */
  async #flush(): Promise<void> {
    // one microtask: calls that are made side by side share the first batch already
    await Promise.resolve()
    const { queue, appender } = await this.#start()
    for (let batch = queue.take(); batch !== null; batch = queue.take()) {
      try {
        await this.#commit(batch, appender)
      } catch (error) {
        this.#fail(error)
        const fault = this.#fault ?? translate(error)
        batch.reject(fault)
        queue.rejectAll(fault)
      }
    }
    // at once with the last look at the queue: what is added from here on starts a flush of its own
    this.#flushing = null
  }

  async #commit(batch: PendingBatch, appender: Appender): Promise<void> {
    // a clock that was set back must not make the journal's times descend
    this.#time = Math.max(this.#time, Date.now())
    await appender.append(batch, this.#time)
    this.#internals.end.note(this.key, appender.journalLength)
    this.#length = batch.end
    batch.resolve()
  }

  /** Once it is known where the log goes on. */
  #start(): Promise<Appending> {
    this.#starting ??= this.#begin()
    return this.#starting
  }

  async #begin(): Promise<Appending> {
    try {
      let tail = await this.#settled
      // a peer that has more may have come since
      if (isBehind(this.#log)) tail = await this.#findTail()
      await this.#internals.end.begin()
      const { routing, framing } = this.manifest
      const queue = new BatchQueue(createRouter(routing), framing, tail.position)
      this.#appending = { queue, appender: new Appender(this.#log, tail) }
      return this.#appending
    } catch (error) {
      this.#fail(error)
      throw this.#fault ?? translate(error)
    }
  }

  async #settle(): Promise<Tail> {
    const { key, bootstrap, isNew } = this.#log
    if (isNew) return await this.#findTail()
    const had = await this.#internals.end.journalLength(key)
    const isClean = had === bootstrap.length
    const patience = isClean ? CLEAN_PATIENCE_MS : PATIENCE_MS
    if (!isClean) this.#internals.onStatus({ state: 'comparing', patience })
    await meetPeers(bootstrap, this.#internals, { patience, signal: this.#ending.signal })
    const tail = await this.#findTail()
    if (had !== null && tail.journal < had)
      throw unfit(`its journal had ${had} blocks when it was closed, and has ${tail.journal} now`)
    return tail
  }

  /** Where the log goes on, once what connected peers have more of it is here. */
  async #findTail(): Promise<Tail> {
    const before = this.#length
    await heal(this.#log, this.#ending.signal)
    const tail = await findTail(this.#log)
    this.#length = tail.position
    this.#time = tail.time
    if (tail.position > before) this.#internals.onStatus({ state: 'regained', lines: tail.position - before })
    this.#internals.end.note(this.key, tail.journal)
    return tail
  }

  #entry(line: Line): Lines {
    const bytes = typeof line === 'string' ? b4a.from(line) : line
    if (!(bytes instanceof Uint8Array))
      throw new NodeError('BAD_OPTION', `a line is a Uint8Array or a string, not ${describe(line)}`)
    checkLine(bytes, this.manifest.framing)
    return oneLine([bytes])
  }

  async *#entries(lines: AsyncIterable<Line>): AsyncGenerator<Lines> {
    // a copy: its owner may change it while it waits
    for await (const line of lines) yield this.#entry(line instanceof Uint8Array ? b4a.from(line) : line)
  }

  #stop(signal: AbortSignal | undefined): AbortSignal {
    const own = [this.#ending.signal, this.#failing.signal]
    return AbortSignal.any(signal === undefined ? own : [...own, signal])
  }

  #checkOpen(): void {
    if (this.#fault !== null) throw this.#fault
    if (this.#closing !== null) throw closed()
  }
}

/** The name of a checkpoint, and a copy of its value; null where there is none. */
function constant(checkpoint: Checkpoint | undefined): [name: string, value: () => Uint8Array] | null {
  if (checkpoint === undefined) return null
  const { name, value } = checkpoint
  checkCheckpointName(name)
  const bytes = encodeCheckpoint(name, value)
  return [name, () => bytes]
}

function closed(): NodeError {
  return new NodeError('CLOSED', 'the writer is closed')
}

function tooLarge(): ProtocolError {
  return new ProtocolError(
    'BATCH_TOO_LARGE',
    `one publish is one batch of at most ${MAX_BATCH_LINES} lines and ${MAX_BATCH_BYTES} bytes: publishStream takes any number`
  )
}

function describe(value: unknown): string {
  return value === null ? 'null' : `a ${typeof value}`
}

function ignore(): void {}
