import type { BootstrapManifest, CoreKey, LogManifest } from '@many-cores/protocol'
import { NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { watchLog } from '../log-watch.ts'
import { checkOptions } from '../options.ts'
import type { Wait } from '../waiting.ts'
import type { Batch, Entry } from './batch.ts'
import { Blocks, withBlocks } from './blocks.ts'
import {
  type Bound,
  dependsOnEnd,
  type OrderedBound,
  orderedBound,
  perCoreBound,
  wantedCores
} from './bound.ts'
import { type CountContext, countBack } from './count-back.ts'
import type { Cursor } from './cursor.ts'
import { DEFAULT_CURSOR, listCursors, openCursor } from './cursor-store.ts'
import { type FollowContext, followOrdered } from './ordered.ts'
import { followPerCore, type PerCoreContext } from './percore.ts'
import { Progress } from './progress.ts'
import { hasJournal, type ReadableLog } from './readable-log.ts'
import {
  type AskOptions,
  DEFAULT_TIMEOUT_MS,
  type FollowOptions,
  type LocateOptions,
  type RangeOptions,
  type Reader,
  type Verification,
  type VerifyOptions
} from './reader.ts'
import { refresh } from './refresh.ts'
import { JournalSearch, lastPosition } from './seek.ts'
import { verify } from './verify.ts'

/** After a fork, only stored lines are read: another block is not waited for longer than this. */
const STORED_MS = 1000

/** A live reader that needs the end of the log continues without a peer after this time. */
const LIVE_TIMEOUT_MS = 10_000

/** See `Reader`. */
export class LogReader implements Reader {
  readonly key: CoreKey
  readonly manifest: BootstrapManifest
  readonly #log: ReadableLog
  readonly #internals: Internals
  readonly #ending = new AbortController()
  readonly #unwatch: () => void
  /** The log has forked, or the store cannot be written: ends everything. */
  #fault: NodeError | null = null
  /** A fork that was found before this start: stored lines can still be read. */
  #oldFault: NodeError | null = null
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog, internals: Internals) {
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#internals = internals
    this.#unwatch = watchLog(internals, log, (fault, isOld) => {
      if (isOld) {
        this.#oldFault ??= fault
        return
      }
      this.#fault ??= fault
      this.#ending.abort()
    })
  }

  async *follow(options: FollowOptions = {}): AsyncGenerator<Entry, void, undefined> {
    for await (const batch of this.batches(options)) yield* batch
  }

  async *batches(options: FollowOptions = {}): AsyncGenerator<Batch, void, undefined> {
    checkOptions('FollowOptions', options)
    const stored = { ...options, live: false, timeout: STORED_MS }
    try {
      yield* this.#batches(this.#oldFault === null ? options : stored)
    } catch (error) {
      throw this.#anyFault() ?? error
    }
    const fault = this.#anyFault()
    if (fault !== null && options.signal?.aborted !== true && this.#closing === null) throw fault
  }

  async *#batches(options: FollowOptions): AsyncGenerator<Batch, void, undefined> {
    const { live = true, timeout = DEFAULT_TIMEOUT_MS } = options
    this.#checkOpen()
    const signal = this.#signal(options.signal)
    const wants = wantedCores(this.manifest, options.cores)
    const { onStatus } = this.#internals
    const context = { signal, live, wants, onStatus, timeout: live ? 0 : timeout }
    const wait = { signal, timeout: live ? Math.min(timeout || LIVE_TIMEOUT_MS, LIVE_TIMEOUT_MS) : timeout }
    const log = this.#log
    const isWhole = hasJournal(log)
      ? yield* this.#ordered(log, options, context, wait)
      : yield* this.#perCore(options, context, wait)
    if (isWhole || signal.aborted) return
    throw this.#noAnswer('all stored lines were delivered, but no peer answered whether there are more')
  }

  range(from: Bound, to: Bound, options: RangeOptions = {}): AsyncGenerator<Entry, void, undefined> {
    return this.follow({ ...options, from, until: to, live: false })
  }

  async at(position: number, options: AskOptions = {}): Promise<Entry | null> {
    checkOptions('AskOptions', options)
    const entries = this.range(position, position === -1 ? 'end' : position + 1, options)
    const { value } = await entries.next()
    await entries.return()
    options.signal?.throwIfAborted()
    return value === undefined ? null : { ...value, line: new Uint8Array(value.line) }
  }

  find(time: number | Date, options: AskOptions = {}): Promise<number> {
    return this.locate({ time }, options)
  }

  length(options: AskOptions = {}): Promise<number> {
    return this.locate('end', options)
  }

  async locate(bound: Bound, options: LocateOptions = {}): Promise<number> {
    checkOptions('LocateOptions', options)
    const { timeout = DEFAULT_TIMEOUT_MS, signal, cores } = options
    this.#checkOpen()
    const log = this.#log
    if (!hasJournal(log)) throw new NodeError('BAD_OPTION', 'a tutorial log has no positions and no times')
    const ordered = orderedBound(bound)
    const wants = wantedCores(this.manifest, cores)
    const { onStatus } = this.#internals
    const wait = { timeout, signal: this.#signal(signal) }
    const reached = await refresh(log.bootstrap, [], wait)
    signal?.throwIfAborted()
    this.#checkOpen()
    if (!reached) throw this.#noAnswer('no peer answered where the log ends')
    const fixed = await fixCount(log, ordered, {
      onStatus,
      timeout,
      wait,
      wants,
      isSelection: cores !== undefined
    })
    const journal = new Blocks('bootstrap', log.bootstrap)
    const search = new JournalSearch(journal, log.manifest, { timeout, onStatus })
    const position = await withBlocks(journal, wait.signal, () => search.positionOf(fixed))
    signal?.throwIfAborted()
    this.#checkOpen()
    if (position === null) throw this.#anyFault() ?? new NodeError('CLOSED', 'the reader is closed')
    return position
  }

  async verify(options: VerifyOptions = {}): Promise<Verification> {
    checkOptions('VerifyOptions', options)
    const { timeout = DEFAULT_TIMEOUT_MS, onProgress } = options
    this.#checkOpen()
    const log = this.#log
    if (!hasJournal(log))
      throw new NodeError('BAD_OPTION', 'a tutorial log has no journal, so it cannot be verified')
    if (this.#oldFault !== null) throw this.#oldFault
    const signal = this.#signal(options.signal)
    const { onStatus } = this.#internals
    const verification = await verify(log, { signal, timeout, onStatus, onProgress }).catch(
      (error: unknown) => {
        // a store that closes meanwhile fails in many ways
        this.#checkOpen()
        throw this.#anyFault() ?? translate(error)
      }
    )
    options.signal?.throwIfAborted()
    this.#checkOpen()
    const fault = this.#anyFault()
    if (fault !== null) throw fault
    return verification
  }

  async cursor(name: string = DEFAULT_CURSOR): Promise<Cursor> {
    this.#checkOpen()
    return await openCursor(this.#internals.home, this.key, name)
  }

  async cursors(): Promise<readonly Cursor[]> {
    this.#checkOpen()
    return await listCursors(this.#internals.home, this.key)
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
    this.#internals.children.remove(this)
    await this.#internals.peers.announced()
    await this.#log.close()
  }

  /** Returns whether nothing is missing: the iteration reached its `until`, or its end is known from peers. */
  async *#ordered(
    log: ReadableLog<LogManifest>,
    options: FollowOptions,
    context: Omit<FollowContext, 'from' | 'until'>,
    wait: Wait
  ): AsyncGenerator<Batch, boolean, undefined> {
    const from = orderedBound(options.from ?? 'start')
    const until = options.until === undefined ? null : orderedBound(options.until)
    const isEndNeeded =
      dependsOnEnd(from) || dependsOnEnd(until) || !(context.live || (await isStored(log, until)))
    const reached = !isEndNeeded || (await refresh(log.bootstrap, [], wait))
    const counting = { ...context, wait, isSelection: options.cores !== undefined }
    const range = {
      from: await fixCount(log, from, counting),
      until: until === null ? null : await fixCount(log, until, counting)
    }
    const progress = new Progress(log, context)
    const isComplete = yield* followOrdered(log, { ...context, ...range, progress })
    return reached || isComplete
  }

  /** As `#ordered`. */
  async *#perCore(
    options: FollowOptions,
    context: Omit<PerCoreContext, 'from' | 'until'>,
    wait: Wait
  ): AsyncGenerator<Batch, boolean, undefined> {
    const log = this.#log
    const from = perCoreBound(options.from ?? 'start')
    const until = options.until === undefined ? null : perCoreBound(options.until)
    const isEndNeeded = from === 'end' || until === 'end' || !context.live
    const cores = isEndNeeded ? log.manifest.cores.map((_, index) => log.openCore(index)) : []
    const reached = !isEndNeeded || (await refresh(log.bootstrap, cores, wait))
    yield* followPerCore(log, { ...context, from, until })
    return reached
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([this.#ending.signal, ...(signal ? [signal] : [])])
  }

  #anyFault(): NodeError | null {
    return this.#fault ?? this.#oldFault
  }

  #noAnswer(what: string): NodeError {
    return new NodeError('NOT_FOUND', `${what}: ${this.#internals.explainNoPeers()}`)
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new NodeError('CLOSED', 'the reader is closed')
  }
}

/** Whether the stored journal reaches `until`, so that no peer is needed. */
async function isStored(log: ReadableLog<LogManifest>, until: OrderedBound | null): Promise<boolean> {
  if (typeof until !== 'number') return false
  return ((await lastPosition(log.bootstrap, log.manifest, { wait: false })) ?? -1) >= until
}

/** `bound`, or the position that it counts to: within a selection, a negative number counts the selected lines. */
async function fixCount(
  log: ReadableLog<LogManifest>,
  bound: OrderedBound,
  context: CountContext & { readonly isSelection: boolean }
): Promise<OrderedBound> {
  if (!context.isSelection || typeof bound !== 'number' || bound >= 0) return bound
  const journal = new Blocks('bootstrap', log.bootstrap)
  const { signal } = context.wait
  // after an abort, the position means nothing
  return (await withBlocks(journal, signal, () => countBack(log, journal, -bound, context))) ?? 0
}
