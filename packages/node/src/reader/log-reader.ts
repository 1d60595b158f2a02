import type { BootstrapManifest, CoreKey, LogManifest, TutorialManifest } from '@many-cores/protocol'
import { NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { KnownRecords } from '../journal/plausible.ts'
import { watchLog } from '../log-watch.ts'
import type { Wait } from '../waiting.ts'
import type { Batch, Entry } from './batch.ts'
import { Blocks } from './blocks.ts'
import {
  type Bound,
  dependsOnEnd,
  type OrderedBound,
  orderedBound,
  perCoreBound,
  wantedCores
} from './bound.ts'
import type { Cursor } from './cursor.ts'
import { DEFAULT_CURSOR, listCursors, openCursor } from './cursor-store.ts'
import { type FollowContext, followOrdered } from './ordered.ts'
import { followPerCore, type PerCoreContext } from './percore.ts'
import { Progress } from './progress.ts'
import type { ReadableLog } from './readable-log.ts'
import {
  type AskOptions,
  DEFAULT_TIMEOUT_MS,
  type FollowOptions,
  type RangeOptions,
  type Reader,
  type Verification,
  type VerifyOptions
} from './reader.ts'
import { refresh } from './refresh.ts'
import { positionOf, storedEndPosition } from './seek.ts'
import { verify } from './verify.ts'

/** What is stored comes within this time. */
const STORED_MS = 1000

/** A live reader that wants the end goes on without having found a peer after so long. */
const LIVE_PATIENCE_MS = 10_000

/** See `Reader`. */
export class LogReader implements Reader {
  readonly key: CoreKey
  readonly manifest: BootstrapManifest
  readonly #log: ReadableLog
  readonly #internals: Internals
  readonly #ending = new AbortController()
  /** Aborted with the reason once the log turns out to have two histories, or nothing can be stored any more. */
  readonly #failing = new AbortController()
  readonly #unwatch: () => void
  /** Two histories were found before this start: what is stored can still be read, and nothing else. */
  #foundBefore: NodeError | null = null
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog, internals: Internals) {
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#internals = internals
    this.#unwatch = watchLog(internals, log, (fault, isOld) => {
      if (isOld) this.#foundBefore ??= fault
      else this.#failing.abort(fault)
    })
  }

  async *follow(options: FollowOptions = {}): AsyncGenerator<Entry, void, undefined> {
    for await (const batch of this.batches(options)) yield* batch
  }

  async *batches(options: FollowOptions = {}): AsyncGenerator<Batch, void, undefined> {
    const known = this.#foundBefore
    try {
      yield* this.#batches(known === null ? options : { ...options, live: false, timeout: STORED_MS })
    } catch (error) {
      throw this.#fault() ?? error
    }
    const fault = this.#fault()
    if (fault !== null && options.signal?.aborted !== true && this.#closing === null) throw fault
  }

  async *#batches(options: FollowOptions): AsyncGenerator<Batch, void, undefined> {
    const { live = true, timeout = DEFAULT_TIMEOUT_MS } = options
    this.#checkOpen()
    const signal = this.#signal(options.signal)
    const context = {
      signal,
      live,
      wants: wantedCores(this.manifest, options.cores),
      onStatus: this.#internals.onStatus,
      timeout: live ? 0 : timeout
    }
    const wait = { signal, timeout: live ? Math.min(timeout || LIVE_PATIENCE_MS, LIVE_PATIENCE_MS) : timeout }
    const { manifest } = this.#log
    const { reached, complete } =
      manifest.version === 1
        ? yield* this.#ordered({ ...this.#log, manifest }, options, context, wait)
        : yield* this.#perCore({ ...this.#log, manifest }, options, context, wait)
    if (reached || complete || signal.aborted) return
    throw this.#notAsked('what is stored here was delivered; whether there is more could not be asked')
  }

  range(from: Bound, to: Bound, options: RangeOptions = {}): AsyncGenerator<Entry, void, undefined> {
    return this.follow({ ...options, from, until: to, live: false })
  }

  async at(position: number, options: AskOptions = {}): Promise<Entry | null> {
    const entries = this.range(position, position === -1 ? 'end' : position + 1, options)
    const { value } = await entries.next()
    await entries.return()
    options.signal?.throwIfAborted()
    return value === undefined ? null : { ...value, line: new Uint8Array(value.line) }
  }

  find(time: number | Date, options: AskOptions = {}): Promise<number> {
    return this.#locate({ time }, options)
  }

  length(options: AskOptions = {}): Promise<number> {
    return this.#locate('end', options)
  }

  async verify(options: VerifyOptions = {}): Promise<Verification> {
    const { timeout = DEFAULT_TIMEOUT_MS, onProgress } = options
    this.#checkOpen()
    const { manifest } = this.#log
    if (manifest.version !== 1)
      throw new NodeError('BAD_OPTION', 'a tutorial log has no journal to be verified by')
    if (this.#foundBefore !== null) throw this.#foundBefore
    const signal = this.#signal(options.signal)
    const verification = await verify(
      { ...this.#log, manifest },
      { signal, timeout, onStatus: this.#internals.onStatus, ...(onProgress && { onProgress }) }
    ).catch((error: unknown) => {
      throw this.#fault() ?? translate(error)
    })
    options.signal?.throwIfAborted()
    this.#checkOpen()
    const fault = this.#fault()
    if (fault !== null) throw fault
    return verification
  }

  async cursor(name: string = DEFAULT_CURSOR): Promise<Cursor> {
    this.#checkOpen()
    return await openCursor(this.#log.bootstrap, name, this.#internals.wal)
  }

  async cursors(): Promise<readonly Cursor[]> {
    this.#checkOpen()
    return await listCursors(this.#log.bootstrap, this.#internals.wal)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    this.#ending.abort()
    this.#unwatch()
    this.#internals.children.forget(this)
    await this.#internals.peers.announced()
    await this.#log.close()
  }

  async *#ordered(
    log: ReadableLog<LogManifest>,
    options: FollowOptions,
    context: Omit<FollowContext, 'from' | 'until'>,
    wait: Wait
  ): AsyncGenerator<Batch, Outcome, undefined> {
    const from = orderedBound(options.from ?? 'start')
    const until = options.until === undefined ? null : orderedBound(options.until)
    const isEndNeeded =
      dependsOnEnd(from) ||
      (until !== null && dependsOnEnd(until)) ||
      !(context.live || (await hasAll(log, until)))
    const reached = !isEndNeeded || (await refresh([log.bootstrap], wait))
    const progress = new Progress(log, context)
    return { reached, complete: yield* followOrdered(log, { ...context, from, until, progress }) }
  }

  async *#perCore(
    log: ReadableLog<TutorialManifest>,
    options: FollowOptions,
    context: Omit<PerCoreContext, 'from' | 'until'>,
    wait: Wait
  ): AsyncGenerator<Batch, Outcome, undefined> {
    const from = perCoreBound(options.from ?? 'start')
    const until = options.until === undefined ? null : perCoreBound(options.until)
    const isEndNeeded = from === 'end' || until === 'end' || !context.live
    const cores = isEndNeeded ? log.manifest.cores.map((_, index) => log.openCore(index)) : []
    const reached = !isEndNeeded || (await refresh([log.bootstrap, ...cores], wait))
    yield* followPerCore(log, { ...context, from, until })
    return { reached, complete: false }
  }

  async #locate(bound: Bound, { timeout = DEFAULT_TIMEOUT_MS, signal }: AskOptions): Promise<number> {
    this.#checkOpen()
    const { bootstrap, manifest } = this.#log
    if (manifest.version !== 1)
      throw new NodeError('BAD_OPTION', 'a tutorial log has no positions and no times')
    const ending = this.#signal(signal)
    const reached = await refresh([bootstrap], { timeout, signal: ending })
    signal?.throwIfAborted()
    this.#checkOpen()
    if (!reached) throw this.#notAsked('how long the log is could not be asked')
    const blocks = new Blocks('bootstrap', bootstrap)
    const stop = (): void => void blocks.close()
    ending.addEventListener('abort', stop, { once: true })
    try {
      await blocks.ready()
      const patience = { timeout, onStatus: this.#internals.onStatus }
      const journal = { blocks, manifest, patience, known: new KnownRecords() }
      return await positionOf(journal, orderedBound(bound))
    } catch (error) {
      signal?.throwIfAborted()
      throw translate(error)
    } finally {
      ending.removeEventListener('abort', stop)
      await blocks.close()
    }
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    const own = [this.#ending.signal, this.#failing.signal]
    return AbortSignal.any(signal === undefined ? own : [...own, signal])
  }

  #fault(): NodeError | null {
    const { signal } = this.#failing
    return signal.aborted ? (signal.reason as NodeError) : this.#foundBefore
  }

  #notAsked(what: string): NodeError {
    return new NodeError('NOT_FOUND', `${what}: ${this.#internals.whyAlone()}`)
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new NodeError('CLOSED', 'the reader is closed')
  }
}

/** How an iteration came to its end. */
interface Outcome {
  /** Whether peers said where the log ends, or did not need to. */
  readonly reached: boolean
  /** Whether it came to its `until`. */
  readonly complete: boolean
}

/** Whether the journal that is stored here goes as far as `until`: then nobody need be asked. */
async function hasAll(log: ReadableLog<LogManifest>, until: OrderedBound | null): Promise<boolean> {
  return typeof until === 'number' && ((await storedEndPosition(log.bootstrap, log.manifest)) ?? -1) >= until
}
