import {
  type BootstrapManifest,
  type CoreKey,
  decodeManifest,
  keyToBytes,
  type LogManifest,
  parseKey,
  type TutorialManifest
} from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import type { Batch, Entry } from './batch.ts'
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
import { NodeError, translate } from './errors.ts'
import { Blocks } from './follow/blocks.ts'
import { createReadableLog, type ReadableLog } from './follow/log.ts'
import { type FollowContext, followOrdered } from './follow/ordered.ts'
import { followPerCore, type PerCoreContext } from './follow/percore.ts'
import { KnownRecords } from './follow/plausible.ts'
import { Progress } from './follow/progress.ts'
import { refresh } from './follow/refresh.ts'
import { positionOf, storedEndPosition } from './follow/seek.ts'
import { verify } from './follow/verify.ts'
import { type Internals, internalsOf } from './internals.ts'
import { watchLog } from './log-watch.ts'
import type { Node } from './node.ts'
import type { Verification } from './verification.ts'
import type { Wait } from './waiting.ts'

export interface ReaderOptions {
  /** How long to look for the log, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up opening. */
  readonly signal?: AbortSignal
}

export interface FollowOptions {
  /** Where to begin; `end` is only what comes later. Default `start`. */
  readonly from?: Bound
  /**
   * Before which line to end, once it is reached. What lies before the end of the log or before a time that has passed is
   * fixed when the iteration begins. Default: none.
   */
  readonly until?: Bound
  /** Only the lines of the cores with these names; the blocks of the others are not downloaded. Default: all. */
  readonly cores?: readonly string[]
  /** Go on with what comes later, or end behind what the peers have now. Default true. */
  readonly live?: boolean
  /**
   * Where the end must be known: how long to wait for a peer who knows it, in ms; live at most 10,000, then the end as it is
   * stored here counts. And with `live: false`: how long to wait for any block. Default 30,000; 0 = for ever.
   */
  readonly timeout?: number
  /** Ends the iteration, as `break` does: no error. */
  readonly signal?: AbortSignal
}

/** How to ask for a part of a log that ends. */
export type RangeOptions = Omit<FollowOptions, 'from' | 'until' | 'live'>

/** How to ask for one thing. */
export interface AskOptions {
  /** How long to wait for a peer, and for any block, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up: rejects with its reason. */
  readonly signal?: AbortSignal
}

export interface VerifyOptions extends AskOptions {
  /** Told how many lines have been verified, as it goes on. Default: nobody. */
  readonly onProgress?: (lines: number) => void
}

/** Reads one log, verified. Made by `openReader`. */
export interface Reader {
  readonly key: CoreKey
  /** Block 0. `version` 0 is a tutorial log: followed core by core, without positions and times. */
  readonly manifest: BootstrapManifest
  /**
   * Every line once, in the order it was written, history first and then live. Lines are pulled: a slow consumer slows the
   * download, not the memory. Ends at `break`, at `signal`, at `close`, or (with `live: false`) at the end.
   *
   * @throws NodeError `BAD_OPTION`; `REWRITTEN` once the log has two histories; `STORE_FULL` where nothing
   * more can be stored, after which the node must be opened anew; `GONE` for a block that did not come; `NOT_FOUND` at the end, with `live: false`, where
   * no peer could be asked for more; ProtocolError where journal and cores disagree.
   */
  follow(options?: FollowOptions): AsyncGenerator<Entry, void, undefined>
  /** The same, a batch or a part of one at a time: an order of magnitude faster where single entries are not needed. */
  batches(options?: FollowOptions): AsyncGenerator<Batch, void, undefined>
  /** The lines from `from` to `to` (exclusive), or to the end of the log. A range that is stored here needs no peer. */
  range(from: Bound, to: Bound, options?: RangeOptions): AsyncGenerator<Entry, void, undefined>
  /**
   * The line at this position, a negative one counted from the end; null where there is none. Fetches its batch alone. The
   * line is a copy.
   */
  at(position: number, options?: AskOptions): Promise<Entry | null>
  /**
   * The position of the first line that was made durable at `time` or later, or the end: found by bisection, some 20 records
   * of a million.
   *
   * @throws NodeError `NOT_FOUND` where no peer knew the end in time; `BAD_OPTION` for a tutorial log, which has no times.
   */
  find(time: number | Date, options?: AskOptions): Promise<number>
  /** How many lines the log has, by what the peers know now. Throws as `find`. */
  length(options?: AskOptions): Promise<number>
  /**
   * Reads everything that is stored here or can be had, to the end, and checks it: that journal and cores agree without a
   * gap, that every line lies where the rule puts it, that no core has blocks which the journal does not name.
   *
   * @throws ProtocolError or NodeError `INTEGRITY` for the first fault, naming position, core and block; NodeError `GONE` for
   * a block that nobody has.
   */
  verify(options?: VerifyOptions): Promise<Verification>
  /**
   * A named position in this log, kept in the node's store. Default name `default`.
   *
   * @throws NodeError `BAD_OPTION` for a name that cannot be one; `STORE_REFUSED` for a damaged one, which `cursors` has.
   */
  cursor(name?: string): Promise<Cursor>
  /** All cursors of this log that have a place or are damaged, by name. */
  cursors(): Promise<readonly Cursor[]>
  /** Ends every iteration and closes. Idempotent. The node stays open and goes on serving what it has. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 30_000

/** What is stored comes within this time. */
const STORED_MS = 1000

/** A live reader that wants the end goes on without having found a peer after so long. */
const LIVE_PATIENCE_MS = 10_000

/**
 * Opens the log with this key (in any spelling), and waits until its block 0 is here. Peers can find what this node has of
 * the log from then on.
 *
 * @throws ProtocolError `BAD_KEY`; `BAD_MANIFEST` or `UNKNOWN_VERSION` for a core that is no log; NodeError `NOT_FOUND` after
 * `timeout`, with the reason.
 */
export async function openReader(node: Node, key: string, options: ReaderOptions = {}): Promise<Reader> {
  const { timeout = DEFAULT_TIMEOUT_MS, signal } = options
  const parsed = parseKey(key)
  signal?.throwIfAborted()
  const internals = internalsOf(node)
  return await internals.children.adopt((closing) => {
    const end = signal === undefined ? closing : AbortSignal.any([closing, signal])
    return openLogReader(internals, parsed, { timeout, signal: end })
  })
}

async function openLogReader(
  internals: Internals,
  parsed: CoreKey,
  { timeout, signal }: Wait
): Promise<Reader> {
  const bootstrap = internals.store.get({ key: keyToBytes(parsed) })
  internals.heads.addJournal(bootstrap.core)
  const giveUp = (): void => void bootstrap.close()
  let fault: NodeError | null = null
  const unwatch = watchLog(internals, { key: parsed, manifest: null }, (found, isOld) => {
    if (isOld) return
    fault = found
    giveUp()
  })
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await bootstrap.ready()
    signal.throwIfAborted()
    await internals.join(bootstrap)
    const manifest = decodeManifest(await firstBlock(bootstrap, timeout, internals), parsed)
    const log = createReadableLog(internals.store, parsed, bootstrap, manifest)
    return new LogReader(log, internals)
  } catch (error) {
    await bootstrap.close()
    signal.throwIfAborted()
    throw fault ?? translate(error)
  } finally {
    unwatch()
    signal.removeEventListener('abort', giveUp)
  }
}

async function firstBlock(bootstrap: Hypercore, timeout: number, internals: Internals): Promise<Uint8Array> {
  try {
    return await bootstrap.get(0, { timeout })
  } catch (error) {
    if (!isTimeout(error)) throw error
    const why = whyNotFound(bootstrap, timeout, internals)
    // the tutorial's words, and the reason that it leaves out
    throw new NodeError('NOT_FOUND', `Could not connect to the writer peer: ${why}`, { cause: error })
  }
}

function whyNotFound(bootstrap: Hypercore, timeout: number, { peers, whyAlone }: Internals): string {
  const seconds = `after ${timeout / 1000} s`
  const count = peers.count()
  if (count === 0) return `${whyAlone()} (${seconds})`
  const refused = peers.whyRefused()
  // who has just been called again has not refused again yet
  if (refused !== null && bootstrap.peers.length === 0) return `${refused.text} (${seconds})`
  const answered = count === 1 ? 'one peer answered' : `${count} peers answered`
  if (bootstrap.peers.length === 0)
    return `${answered}, but none has this log: is the key right? (${seconds})`
  const know = bootstrap.peers.length === 1 ? 'one knows' : `${bootstrap.peers.length} know`
  return `${answered} and ${know} the log, but nobody has its first block yet (${seconds})`
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'REQUEST_TIMEOUT'
}

class LogReader implements Reader {
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
