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
import { isBehind } from '../recovery/compare.ts'
import { healedTail, resume } from '../recovery/resume.ts'
import type { Tail } from '../recovery/tail.ts'
import { untilHeld } from './acknowledgements.ts'
import { Appender } from './appender.ts'
import { checkCheckpointName, encodeCheckpoint, readCheckpoint } from './checkpoint.ts'
import { type Lines, oneLine, splitLines } from './lines.ts'
import type { WritableLog } from './own-log.ts'
import { BatchQueue, type PendingBatch } from './queue.ts'
import { gather, until } from './streams.ts'
import type {
  AcknowledgedOptions,
  Checkpoint,
  Line,
  Published,
  PublishOptions,
  PublishStreamOptions,
  StreamCheckpoint,
  Writer
} from './writer.ts'

/** What appends, once it is known where the log goes on. */
interface Appending {
  readonly queue: BatchQueue
  readonly appender: Appender
}

/** See `Writer`. */
export class LogWriter implements Writer {
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
    this.#settled = resume(log, internals, this.#ending.signal).then((tail) => this.#takeOver(tail))
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
    this.#internals.cleanShutdown.setUnclean()
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
    this.#internals.cleanShutdown.setJournalLength(this.key, appender.journalLength)
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
      if (isBehind(this.#log.bootstrap))
        tail = this.#takeOver(await healedTail(this.#log, this.#ending.signal))
      await this.#internals.cleanShutdown.removeMark()
      const { routing, framing } = this.manifest
      const queue = new BatchQueue(createRouter(routing), framing, tail.position)
      this.#appending = { queue, appender: new Appender(this.#log, tail) }
      return this.#appending
    } catch (error) {
      this.#fail(error)
      throw this.#fault ?? translate(error)
    }
  }

  /** The log goes on there. */
  #takeOver(tail: Tail): Tail {
    const { onStatus, cleanShutdown } = this.#internals
    const regained = tail.position - this.#length
    if (regained > 0) onStatus({ state: 'regained', lines: regained })
    this.#length = tail.position
    this.#time = tail.time
    cleanShutdown.setJournalLength(this.key, tail.journal)
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
