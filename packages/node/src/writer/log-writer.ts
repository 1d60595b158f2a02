import {
  type CoreKey,
  checkLine,
  createRouter,
  type LogManifest,
  MAX_BATCH_BYTES,
  MAX_BATCH_LINES,
  ProtocolError
} from '@many-cores/protocol'
import b4a from 'b4a'
import { ignore, NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { watchLog } from '../log-watch.ts'
import { checkOptions } from '../options.ts'
import { isBehind, recover } from '../recovery/recover.ts'
import { resume } from '../recovery/resume.ts'
import type { Tail } from '../recovery/tail.ts'
import { untilHeld } from './acknowledgements.ts'
import { Appender } from './appender.ts'
import { checkCheckpointName, encodeCheckpoint, readCheckpoint } from './checkpoint.ts'
import { type Lines, oneLine, splitLines } from './lines.ts'
import type { WritableLog } from './own-log.ts'
import { BatchQueue, type PendingBatch } from './queue.ts'
import { collect, untilAborted } from './streams.ts'
import type {
  AcknowledgedOptions,
  Line,
  Published,
  PublishOptions,
  PublishStreamOptions,
  StreamCheckpoint,
  Writer
} from './writer.ts'

/** Created once the end of the log is known. */
interface Appending {
  readonly queue: BatchQueue
  readonly appender: Appender
}

/**
 * See `Writer`. The path of a line: `publish` copies it into a batch of the queue. `#flush` takes the batch, and `Appender` writes its
 * blocks and its journal record as one atom. `WalSync` makes that write wait until it is on disk. Then `publish` resolves.
 */
export class LogWriter implements Writer {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly #log: WritableLog
  readonly #internals: Internals
  readonly #linger: number
  readonly #unwatch: () => void
  /** Aborts with the first fault, or `CLOSED`. Later calls throw the same error. */
  readonly #end = new AbortController()
  /** The end of the log after recovery. Recovery is repeated before the first append if a peer has more by then. */
  readonly #resumed: Promise<Tail>
  #starting: Promise<Appending> | null = null
  /** The result of `#starting`. Without it, each publish would await that again, and take a third longer. */
  #appending: Appending | null = null
  #length: number
  #time = 0
  #flushing: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(
    log: WritableLog,
    internals: Internals,
    { length, linger }: { readonly length: number; readonly linger: number }
  ) {
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#internals = internals
    this.#linger = linger
    this.#length = length
    this.#unwatch = watchLog(internals, log, (fault) => this.#fail(fault))
    this.#resumed = resume(log, internals, this.#end.signal).then((tail) => this.#continueAt(tail))
    this.#resumed.catch((error: unknown) => this.#fail(error))
  }

  get length(): number {
    return this.#length
  }

  async publish(lines: Iterable<Line> & object, options: PublishOptions = {}): Promise<Published> {
    this.#checkOpen()
    checkOptions('PublishOptions', options)
    checkLines('publish', lines)
    const { checkpoint } = options
    const name = checkpoint?.name ?? null
    const value = checkpoint === undefined ? '' : encodeCheckpoint(checkpoint.name, checkpoint.value)
    const entries: Lines[] = []
    let bytes = 0
    for (const line of lines) {
      const entry = this.#copy(line)
      bytes += entry.bytes.byteLength
      if (entries.push(entry) > MAX_BATCH_LINES || bytes > MAX_BATCH_BYTES) throw tooLarge()
    }
    const count = entries.length
    if (count === 0 && name === null) return { position: this.#length, count }
    const { queue } = this.#appending ?? (await this.#start())
    const batch = queue.batchFor(count, bytes)
    const position = batch.end
    for (const entry of entries) batch.add(entry)
    if (name !== null) batch.checkpoints.set(name, () => value)
    if (count === 0) batch.complete()
    this.#startFlush()
    await batch.durable
    return { position, count }
  }

  async publishStream(
    lines: (AsyncIterable<Line> | Iterable<Line>) & object,
    options: PublishStreamOptions = {}
  ): Promise<Published> {
    checkOptions('PublishStreamOptions', options)
    checkLines('publishStream', lines)
    const { signal, checkpoint } = options
    return await this.#publishAll(this.#copies(untilAborted(lines, this.#endOr(signal))), checkpoint)
  }

  async publishBytes(
    source: AsyncIterable<Uint8Array>,
    options: PublishStreamOptions = {}
  ): Promise<Published> {
    checkOptions('PublishStreamOptions', options)
    if (typeof source === 'string')
      throw new NodeError('BAD_OPTION', 'publishBytes takes a stream of Uint8Arrays, not a string')
    const { signal, checkpoint } = options
    if (this.manifest.framing !== 'newline') {
      throw new NodeError(
        'BAD_OPTION',
        'a byte stream cannot be split into the entries of a log with framing none. Publish each entry'
      )
    }
    const end = this.#endOr(signal)
    const takesRest = (): boolean => checkpoint === undefined || !end.aborted
    return await this.#publishAll(splitLines(untilAborted(source, end), takesRest), checkpoint)
  }

  async serve(signal: AbortSignal): Promise<void> {
    const end = this.#endOr(signal)
    if (!end.aborted) await new Promise((resolve) => end.addEventListener('abort', resolve, { once: true }))
    const reason: unknown = this.#end.signal.reason
    if (!signal.aborted && !(reason instanceof NodeError && reason.code === 'CLOSED')) throw reason
  }

  async acknowledged(peers: number, options: AcknowledgedOptions = {}): Promise<readonly string[]> {
    this.#checkOpen()
    checkOptions('AcknowledgedOptions', options)
    const { signal } = options
    if (!Number.isSafeInteger(peers) || peers < 0)
      throw new NodeError('BAD_OPTION', `invalid number of peers ${peers}: expected 0 or more`)
    const { bootstrap, manifest, openCore } = this.#log
    const { peers: connected, onStatus } = this.#internals
    try {
      await this.#resumed
      const data = await Promise.all(manifest.cores.map((_, index) => openCore(index)))
      return await untilHeld(
        // an empty core has no blocks that a peer could hold
        [bootstrap, ...data].filter((core) => core.length > 0),
        {
          peers,
          signal: this.#endOr(signal),
          isCounted: connected.hasFsync,
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
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#end.abort(new NodeError('CLOSED', 'the writer is closed'))
    await this.#resumed.catch(ignore)
    // lines that wait for the start are published
    await this.#starting?.catch(ignore)
    await this.#flushing
    this.#unwatch()
    this.#internals.children.remove(this)
    await this.#appending?.appender.close()
    await this.#log.close()
  }

  async #publishAll(source: AsyncIterable<Lines>, checkpoint?: StreamCheckpoint): Promise<Published> {
    this.#checkOpen()
    if (checkpoint !== undefined) checkCheckpointName(checkpoint.name)
    // before anything is taken from the source, which may fail
    const { queue } = await this.#start()
    this.#checkOpen()
    const { position, count } = await collect(source, queue, {
      checkpoint,
      onLines: () => this.#checkOpen(),
      onBatch: () => this.#startFlush()
    })
    this.#checkOpen()
    return { position: position ?? this.#length, count }
  }

  /** Resolves once the end of the log is known. */
  #start(): Promise<Appending> {
    this.#starting ??= this.#begin()
    return this.#starting
  }

  async #begin(): Promise<Appending> {
    try {
      let tail = await this.#resumed
      if (isBehind(this.#log)) tail = this.#continueAt(await recover(this.#log, this.#end.signal))
      await this.#internals.cleanShutdown.removeMark()
      const { routing, framing } = this.manifest
      const queue = new BatchQueue(createRouter(routing), framing, tail.position)
      this.#appending = { queue, appender: new Appender(this.#log, tail) }
      return this.#appending
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #continueAt(tail: Tail): Tail {
    const { onStatus, cleanShutdown } = this.#internals
    const recovered = tail.position - this.#length
    if (recovered > 0) onStatus({ state: 'recovered', lines: recovered })
    this.#length = tail.position
    this.#time = tail.time
    cleanShutdown.setJournalLength(this.key, tail.journal)
    return tail
  }

  #startFlush(): void {
    this.#flushing ??= this.#flush()
  }

  /** Group commit: while one batch is written, lines collect in the next one. */
  async #flush(): Promise<void> {
    // started already; but the wait lets concurrent calls share the first batch
    const { queue, appender } = await this.#start()
    for (let batch = queue.first; batch !== null; batch = queue.first) {
      await batch.linger({ timeout: this.#linger, signal: this.#end.signal })
      queue.shift()
      try {
        await this.#commit(batch, appender)
      } catch (error) {
        const fault = this.#fail(error)
        batch.reject(fault)
        queue.rejectAll(fault)
      }
    }
    // nothing is awaited since the queue was found empty: a batch that is added from here on starts the next flush
    this.#flushing = null
  }

  async #commit(batch: PendingBatch, appender: Appender): Promise<void> {
    // the times in the journal must not descend, even if the clock does
    this.#time = Math.max(this.#time, Date.now())
    const journal = await appender.append(batch, this.#time)
    this.#internals.cleanShutdown.setJournalLength(this.key, journal)
    this.#length = batch.end
    batch.resolve()
  }

  /** Stops the writer at its first fault. Returns the error that callers get. */
  #fail(error: unknown): Error {
    const fault = translate(error)
    if (this.#closing !== null) return fault
    this.#internals.cleanShutdown.setUnclean()
    this.#end.abort(fault)
    return this.#end.signal.reason as Error
  }

  /** A checked copy: the caller can change its buffer at once. */
  #copy(line: Line): Lines {
    if (typeof line !== 'string' && !(line instanceof Uint8Array))
      throw new NodeError('BAD_OPTION', `invalid line of type ${typeof line}: expected Uint8Array or string`)
    const bytes = typeof line === 'string' ? b4a.from(line) : b4a.from(line)
    checkLine(bytes, this.manifest.framing)
    return oneLine(bytes)
  }

  async *#copies(lines: AsyncIterable<Line>): AsyncGenerator<Lines> {
    for await (const line of lines) yield this.#copy(line)
  }

  #endOr(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#end.signal : AbortSignal.any([this.#end.signal, signal])
  }

  #checkOpen(): void {
    this.#end.signal.throwIfAborted()
  }
}

/** A string and a buffer can be iterated: each character or byte would be a line. */
function checkLines(call: string, lines: object): void {
  if (typeof lines === 'object' && lines !== null && !(lines instanceof Uint8Array)) return
  throw new NodeError('BAD_OPTION', `${call} takes lines: ${call}(['hello\\n'])`)
}

function tooLarge(): ProtocolError {
  return new ProtocolError(
    'BATCH_TOO_LARGE',
    `publish takes at most ${MAX_BATCH_LINES} lines and ${MAX_BATCH_BYTES} bytes. publishStream has no such limit`
  )
}
