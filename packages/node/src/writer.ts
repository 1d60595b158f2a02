import {
  type CoreKey,
  checkLine,
  createRouter,
  DEFAULT_RULE,
  type Framing,
  type LogManifest,
  MAX_BATCH_BYTES,
  MAX_BATCH_LINES,
  ProtocolError,
  type RoutingRule
} from '@many-cores/protocol'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { Checkpoint, StreamCheckpoint } from './checkpoint.ts'
import { NodeError, translate } from './errors.ts'
import { createReadableLog } from './follow/log.ts'
import { followOrdered } from './follow/ordered.ts'
import { rewritten } from './history.ts'
import { type Internals, internalsOf } from './internals.ts'
import type { Node } from './node.ts'
import type { OnStatus } from './status.ts'
import { untilHeld } from './writer/acknowledgements.ts'
import { Appender } from './writer/appender.ts'
import { checkCheckpointName, encodeCheckpoint, readCheckpoint } from './writer/checkpoints.ts'
import type { CleanEnd } from './writer/clean-end.ts'
import { compare } from './writer/compare.ts'
import { type Lines, oneLine, splitLines } from './writer/lines.ts'
import { openLog, type WritableLog } from './writer/log.ts'
import { Packer } from './writer/packer.ts'
import {
  checkpointsOf,
  GATHERED_BYTES,
  Submission,
  SubmissionQueue,
  type SubmittedCheckpoint
} from './writer/queue.ts'
import { Regained } from './writer/regained.ts'

/** What is published: bytes, terminator included; a text stands for its UTF-8. */
export type Line = Uint8Array | string

/** What is stored comes within this time. */
const STORED_MS = 1000

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
   * Becomes durable in the same atom as each batch. Lines that the store had lost, with the checkpoint that stood behind them,
   * and that came back from peers, are not published again where the stream begins with them; they count as published. A byte stream that has one can be gone on with: where it is aborted in
   * the midst of a line, that line is left to whoever goes on.
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
  /** Lines published and durable: the position of the next one. */
  readonly length: number
  /**
   * Publishes `lines` as one atomic batch: resolves when all are durable, or rejects and none is. Calls made while a flush
   * is under way share the next one, in their order. Without lines, a checkpoint is stored alone.
   *
   * @throws ProtocolError `BAD_LINE`, `LINE_TOO_LONG` or `BATCH_TOO_LARGE`, NodeError `BAD_OPTION`, and nothing is published;
   * `STORE_FULL`, `REWRITTEN` or the like, after which the writer accepts nothing more; `CLOSED`.
   */
  publish(lines: Iterable<Line>, options?: PublishOptions): Promise<Published>
  /** Publishes line by line, in batches as they come, never waiting for more. Resolves when all are durable. */
  publishStream(
    lines: AsyncIterable<Line> | Iterable<Line>,
    options?: PublishStreamOptions
  ): Promise<Published>
  /**
   * Publishes a byte stream, e.g. a process's standard input, cut into lines after each newline and at its end. Resolves
   * when all are durable. Chunks must not change once they were yielded. A slow store slows the source.
   *
   * @throws as `publish`; what stands before the fault is durable. NodeError `BAD_OPTION` for a log of framing `none`.
   */
  publishBytes(source: AsyncIterable<Uint8Array>, options?: PublishStreamOptions): Promise<Published>
  /**
   * Resolves once `peers` peers hold all that is durable now, the journal as well as every data core, to their public keys:
   * hex, as `Node.id`. A reader that follows the log from its start comes to hold everything; one of some cores alone does
   * not. `onStatus` of the node hears how many are there.
   *
   * What it proves: whoever owns such a key pair has said so, over a connection that only they could have made. Hypercore
   * says it of a block after it has verified and stored it, and our readers are no other; that nobody lies, that a disk
   * keeps what it took, and that two key pairs are two people, it cannot prove. Once said it counts, also of a peer that has
   * left since.
   *
   * @throws NodeError `BAD_OPTION` where `peers` is no number of peers; `CLOSED`.
   */
  acknowledged(peers: number, options?: AcknowledgedOptions): Promise<readonly string[]>
  /**
   * Resolves at `signal`, or when the writer is closed; until then it has nothing to do but to serve. Rejects with NodeError
   * `REWRITTEN` as soon as a second history of the log turns up: somebody else has its keys, or the store is an old copy.
   */
  serve(signal: AbortSignal): Promise<void>
  /** The checkpoint of this name as it was last made durable, or null. Throws NodeError `BAD_OPTION`. */
  checkpoint(name: string): Promise<Uint8Array | null>
  /** Makes durable what was published, then closes. Idempotent. The node stays open and goes on serving the log. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the log of the node's store for writing, and creates it where there is none. Peers can find it from then on.
 *
 * @throws NodeError `RULE_MISMATCH` where the log has another rule, names or framing than asked for; `STORE_REFUSED` where
 * the store was made by other software or its journal and cores do not fit together; ProtocolError `BAD_RULE`.
 */
export async function openWriter(node: Node, options: WriterOptions = {}): Promise<Writer> {
  options.signal?.throwIfAborted()
  const internals = internalsOf(node)
  const { store, join, adopt, end } = internals
  const log = await openLog(
    store,
    { rule: DEFAULT_RULE, ...options },
    {
      end,
      compare: (cores) => compare(cores, internals, options.signal),
      onRegained: (lines) => internals.onStatus({ state: 'regained', lines })
    }
  )
  try {
    options.signal?.throwIfAborted()
    await join(log.bootstrap)
    const writer: LogWriter = new LogWriter(log, new Appender(store, log), internals, () => release())
    const release = adopt(writer)
    return writer
  } catch (error) {
    await log.close()
    throw translate(error)
  }
}

class LogWriter implements Writer {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly #log: WritableLog
  readonly #appender: Appender
  readonly #cleanEnd: CleanEnd
  readonly #packer: Packer
  readonly #queue = new SubmissionQueue()
  readonly #onStatus: OnStatus
  readonly #ending = new AbortController()
  readonly #release: () => void
  readonly #regained: Regained | null
  #length: number
  #time: number
  #flushing: Promise<void> | null = null
  #fault: Error | null = null
  /** Aborted with the fault. */
  readonly #failing = new AbortController()
  readonly #unwatch: () => void
  #closing: Promise<void> | null = null

  constructor(log: WritableLog, appender: Appender, internals: Internals, release: () => void) {
    const { store, end, history, onStatus } = internals
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#appender = appender
    this.#cleanEnd = end
    this.#regained = log.regainedFrom === null ? null : new Regained(linesFrom(store, log, log.regainedFrom))
    this.#packer = new Packer(createRouter(log.manifest.routing), log.manifest.framing, log.length)
    this.#length = log.length
    this.#time = log.time
    this.#onStatus = onStatus
    this.#release = release
    const names = new Map<CoreKey, string>(log.manifest.cores.map(({ key, name }) => [key, name]))
    names.set(log.key, 'bootstrap')
    this.#unwatch = history.watch((rewriting) => {
      const name = names.get(rewriting.key)
      if (name !== undefined) this.#fail(rewritten(name, rewriting))
    })
  }

  get length(): number {
    return this.#length
  }

  async publish(lines: Iterable<Line>, { checkpoint }: PublishOptions = {}): Promise<Published> {
    this.#checkOpen()
    const submission = new Submission(constant(checkpoint))
    for (const line of lines) {
      if (submission.fill(this.#entry(line)) === 0) throw tooLarge()
    }
    if (submission.lines === 0 && checkpoint === undefined) return { position: this.#length, count: 0 }
    this.#submit(submission)
    return { position: await submission.durable, count: submission.lines }
  }

  publishStream(
    lines: AsyncIterable<Line> | Iterable<Line>,
    { signal, checkpoint }: PublishStreamOptions = {}
  ): Promise<Published> {
    return this.#publishAll(this.#entries(until(lines, signal)), checkpoint)
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
    const takesRest = (): boolean => checkpoint === undefined || signal?.aborted !== true
    const stop = signal === undefined ? this.#failing.signal : AbortSignal.any([signal, this.#failing.signal])
    const published = await this.#publishAll(splitLines(until(source, stop), takesRest), checkpoint)
    if (this.#fault !== null) throw this.#fault
    return published
  }

  async serve(signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, this.#failing.signal, this.#ending.signal])
    if (!end.aborted) await new Promise((resolve) => end.addEventListener('abort', resolve, { once: true }))
    if (!signal.aborted && this.#fault !== null) throw this.#fault
  }

  async acknowledged(peers: number, { signal }: AcknowledgedOptions = {}): Promise<readonly string[]> {
    this.#checkOpen()
    if (!Number.isSafeInteger(peers) || peers < 0)
      throw new NodeError('BAD_OPTION', `${peers} is no number of peers`)
    const { bootstrap, manifest, openCore } = this.#log
    const ending = this.#ending.signal
    const data = await Promise.all(manifest.cores.map((_, index) => openCore(index)))
    return await untilHeld(
      // a core that nobody has written to is nothing to hold
      [bootstrap, ...data].filter((core) => core.length > 0),
      {
        peers,
        signal: signal === undefined ? ending : AbortSignal.any([ending, signal]),
        onHolding: (holding) => this.#onStatus({ state: 'acknowledging', holding, peers })
      }
    )
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
    await this.#flushing
    this.#unwatch()
    await this.#regained?.close()
    this.#release()
    await this.#appender.close()
    await this.#log.close()
  }

  // One submission is being flushed while another fills up, and the source waits: so much is in memory and no more.
  async #publishAll(source: AsyncIterable<Lines>, checkpoint?: StreamCheckpoint): Promise<Published> {
    this.#checkOpen()
    if (checkpoint !== undefined) checkCheckpointName(checkpoint.name)
    const pending: Submission[] = []
    let first: Submission | null = null
    const taken = { lines: 0, bytes: 0 }
    const top = (lines: Lines, from: number): number => {
      const filling = pending.at(-1)
      return filling === undefined || filling.taken ? from : filling.fill(lines, from)
    }
    const begin = async (lines: Lines, from: number): Promise<number> => {
      if (pending.length === 2) await pending.shift()?.durable
      const submission = new Submission(checkpoint && { ...checkpoint, before: { ...taken } }, GATHERED_BYTES)
      const filled = submission.fill(lines, from)
      this.#submit(submission)
      pending.push(submission)
      first ??= submission
      return filled
    }
    try {
      for await (const lines of source) {
        const again = checkpoint === undefined ? 0 : ((await this.#regained?.skip(lines, 0)) ?? 0)
        taken.lines += again
        taken.bytes += lines.ends[again - 1] ?? 0
        for (let from = again; from < lines.ends.length; ) {
          const topped = top(lines, from)
          const next = topped > from ? topped : await begin(lines, from)
          taken.lines += next - from
          taken.bytes += (lines.ends[next - 1] ?? 0) - (lines.ends[from - 1] ?? 0)
          from = next
        }
      }
    } finally {
      await Promise.allSettled(pending.map((submission) => submission.durable))
    }
    await Promise.all(pending.map((submission) => submission.durable))
    return { position: (await (first as Submission | null)?.durable) ?? this.#length, count: taken.lines }
  }

  /** Nothing is accepted any more, for the first reason that there was. */
  #fail(error: unknown): void {
    this.#fault ??= translate(error)
    this.#cleanEnd.doubt()
    this.#failing.abort(this.#fault)
  }

  #submit(submission: Submission): void {
    this.#checkOpen()
    this.#queue.push(submission)
    this.#flushing ??= this.#flush()
  }

  /** Group commit: while one batch is being flushed the next one gathers. */
  async #flush(): Promise<void> {
    // one microtask: calls that are made side by side share the first batch already
    await Promise.resolve()
    while (!this.#queue.isEmpty) {
      const batch = this.#queue.takeBatch()
      try {
        await this.#commit(batch)
      } catch (error) {
        this.#fail(error)
        const fault = this.#fault ?? translate(error)
        for (const submission of batch) submission.reject(fault)
        this.#queue.rejectAll(fault)
      }
    }
    // at once with the last look at the queue: what is submitted from here on starts a flush of its own
    this.#flushing = null
  }

  async #commit(batch: readonly Submission[]): Promise<void> {
    for (const submission of batch) submission.pack(this.#packer)
    const packed = this.#packer.take()
    // a clock that was set back must not make the journal's times descend
    this.#time = Math.max(this.#time, Date.now())
    await this.#cleanEnd.begin()
    await this.#appender.append(packed, this.#time, checkpointsOf(batch))
    this.#cleanEnd.note(this.key, this.#appender.journalLength)
    this.#length = packed.seq + packed.lines
    let position = packed.seq
    for (const submission of batch) {
      submission.resolve(position)
      position += submission.lines
    }
  }

  #entry(line: Line): Lines {
    const bytes = typeof line === 'string' ? b4a.from(line) : line
    checkLine(bytes, this.manifest.framing)
    return oneLine([bytes])
  }

  async *#entries(lines: AsyncIterable<Line> | Iterable<Line>): AsyncGenerator<Lines> {
    for await (const line of lines) yield this.#entry(line)
  }

  #checkOpen(): void {
    if (this.#fault !== null) throw this.#fault
    if (this.#closing !== null) throw closed()
  }
}

/** `source` until it ends or `signal` aborts, whichever comes first; what `source` still waits for is not waited for. */
async function* until<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal | undefined
): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* source
    return
  }
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  try {
    while (!signal.aborted) {
      const result = await orAbort(Promise.resolve(iterator.next()), signal)
      if (result === null || result.done === true) return
      yield result.value
    }
  } finally {
    Promise.resolve(iterator.return?.()).catch(ignore)
  }
}

/** What `next` gives, or null once `signal` aborts. Not a race with one promise for all: that would keep every item for ever. */
function orAbort<T>(next: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const onabort = (): void => resolve(null)
    // the source may have aborted it just now
    if (signal.aborted) onabort()
    signal.addEventListener('abort', onabort, { once: true })
    const forget = (): void => signal.removeEventListener('abort', onabort)
    next.finally(forget).then(resolve, reject)
  })
}

/** The lines of the log from a position on, as they are stored. */
async function* linesFrom(store: Corestore, log: WritableLog, from: number): AsyncGenerator<Uint8Array> {
  const { key, manifest } = log
  const stored = createReadableLog(store, key, log.bootstrap.session(), manifest)
  const context = { from, until: null, live: false, wants: () => true, onStatus: ignore, timeout: STORED_MS }
  try {
    const signal = new AbortController().signal
    for await (const batch of followOrdered(stored, { ...context, signal }))
      for (const { line } of batch) yield line
  } finally {
    await stored.close()
  }
}

/** A checkpoint whose value is known already. */
function constant(checkpoint: Checkpoint | undefined): SubmittedCheckpoint | undefined {
  if (checkpoint === undefined) return undefined
  const { name, value } = checkpoint
  checkCheckpointName(name)
  const bytes = encodeCheckpoint(name, value)
  return { name, at: () => bytes, before: { lines: 0, bytes: 0 } }
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

function ignore(): void {}
