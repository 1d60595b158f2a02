import {
  type BootstrapManifest,
  type CoreKey,
  decodeManifest,
  keyToBytes,
  parseKey
} from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import type { Batch, Entry, Place } from './batch.ts'
import type { Cursor } from './cursor.ts'
import { DEFAULT_CURSOR, openCursor } from './cursor-store.ts'
import { NodeError, translate } from './errors.ts'
import { createReadableLog, type ReadableLog } from './follow/log.ts'
import { followOrdered } from './follow/ordered.ts'
import { followPerCore } from './follow/percore.ts'
import { type Internals, internalsOf } from './internals.ts'
import type { Node } from './node.ts'

export interface ReaderOptions {
  /** How long to look for the log, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up opening. */
  readonly signal?: AbortSignal
}

export interface FollowOptions {
  /**
   * Where to begin: `start`, `end` (only what comes later), a place that a batch or a cursor named, a position, or a
   * negative number: so many lines before the end. A tutorial log has no positions. Default `start`.
   */
  readonly from?: 'start' | 'end' | Place
  /** Only the lines of the cores with these names; the blocks of the others are not downloaded. Default: all. */
  readonly cores?: readonly string[]
  /** Go on with what comes later, or end behind what the peers have now. Default true. */
  readonly live?: boolean
  /**
   * Where the end must be known, with `live: false` or to begin there: how long to wait for a peer and, with `live: false`,
   * for any block, in ms. Default 30,000; 0 = for ever.
   */
  readonly timeout?: number
  /** Ends the iteration, as `break` does: no error. */
  readonly signal?: AbortSignal
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
   * @throws NodeError `BAD_OPTION`; `GONE` for a block that did not come; `NOT_FOUND` at the end, with `live: false`, where
   * no peer could be asked for more; ProtocolError where journal and cores disagree.
   */
  follow(options?: FollowOptions): AsyncGenerator<Entry, void, undefined>
  /** The same, a batch or a part of one at a time: an order of magnitude faster where single entries are not needed. */
  batches(options?: FollowOptions): AsyncGenerator<Batch, void, undefined>
  /** A named position in this log, kept in the node's store. Default name `default`. */
  cursor(name?: string): Promise<Cursor>
  /** Ends every iteration and closes. Idempotent. The node stays open and goes on serving what it has. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 30_000

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
  const bootstrap = internals.store.get({ key: keyToBytes(parsed) })
  const giveUp = (): void => void bootstrap.close()
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    await bootstrap.ready()
    await internals.join(bootstrap.discoveryKey as Uint8Array)
    const manifest = decodeManifest(await firstBlock(bootstrap, timeout, internals), parsed)
    const log = createReadableLog(internals.store, parsed, bootstrap, manifest)
    const reader: LogReader = new LogReader(log, internals, () => release())
    const release = internals.adopt(reader)
    return reader
  } catch (error) {
    await bootstrap.close()
    signal?.throwIfAborted()
    throw translate(error)
  } finally {
    signal?.removeEventListener('abort', giveUp)
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

function whyNotFound(bootstrap: Hypercore, timeout: number, { peerCount, whyAlone }: Internals): string {
  const seconds = `after ${timeout / 1000} s`
  const peers = peerCount()
  if (peers === 0) return `${whyAlone()} (${seconds})`
  const answered = peers === 1 ? 'one peer answered' : `${peers} peers answered`
  return bootstrap.peers.length === 0
    ? `${answered}, but none has this log: is the key right? (${seconds})`
    : `${answered} and know the log, but none has its first block yet (${seconds})`
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'REQUEST_TIMEOUT'
}

class LogReader implements Reader {
  readonly key: CoreKey
  readonly manifest: BootstrapManifest
  readonly #log: ReadableLog
  readonly #internals: Internals
  readonly #release: () => void
  readonly #ending = new AbortController()
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog, internals: Internals, release: () => void) {
    this.key = log.key
    this.manifest = log.manifest
    this.#log = log
    this.#internals = internals
    this.#release = release
  }

  async *follow(options: FollowOptions = {}): AsyncGenerator<Entry, void, undefined> {
    for await (const batch of this.batches(options)) yield* batch
  }

  async *batches(options: FollowOptions = {}): AsyncGenerator<Batch, void, undefined> {
    const { from = 'start', live = true, timeout = DEFAULT_TIMEOUT_MS } = options
    this.#checkOpen()
    const signal = AbortSignal.any([
      this.#ending.signal,
      ...(options.signal === undefined ? [] : [options.signal])
    ])
    const context = {
      signal,
      live,
      wants: wantedCores(this.manifest, options.cores),
      onStatus: this.#internals.onStatus,
      timeout: live ? 0 : timeout
    }
    const { manifest } = this.#log
    const ordered = manifest.version === 1
    const place = ordered ? orderedPlace(from) : perCorePlace(from)
    const reached = (live && !isFromEnd(place)) || (await this.#refresh(timeout, signal))
    if (signal.aborted) return
    yield* ordered
      ? followOrdered({ ...this.#log, manifest }, { ...context, from: place as number | 'end' })
      : followPerCore(
          { ...this.#log, manifest },
          { ...context, from: place as Record<string, number> | 'end' }
        )
    if (!reached && !signal.aborted) {
      throw new NodeError(
        'NOT_FOUND',
        `what is stored here was delivered; whether there is more could not be asked: ${this.#internals.whyAlone()}`
      )
    }
  }

  async cursor(name: string = DEFAULT_CURSOR): Promise<Cursor> {
    this.#checkOpen()
    return await openCursor(this.#log.bootstrap, name)
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
    this.#release()
    await this.#log.close()
  }

  /** Learns from the peers how long the log is; false if there was none within `timeout`. */
  async #refresh(timeout: number, signal: AbortSignal): Promise<boolean> {
    const cores =
      this.manifest.version === 1 ? [] : this.manifest.cores.map((_, index) => this.#log.openCore(index))
    const all = [this.#log.bootstrap, ...cores]
    // who may write needs nobody to know the end
    if (this.#log.bootstrap.writable) return true
    if (!(await untilPeer(this.#log.bootstrap, timeout, signal))) return false
    await Promise.all(all.map((core) => core.update({ wait: true }))).catch((error: unknown) => {
      if (!signal.aborted) throw translate(error)
    })
    return true
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new NodeError('CLOSED', 'the reader is closed')
  }
}

function untilPeer(core: Hypercore, timeout: number, signal: AbortSignal): Promise<boolean> {
  if (core.peers.length > 0) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = (found: boolean): void => {
      clearTimeout(timer)
      core.off('peer-add', onpeer)
      signal.removeEventListener('abort', onabort)
      resolve(found)
    }
    const onpeer = (): void => end(true)
    const onabort = (): void => end(false)
    const timer = timeout > 0 ? setTimeout(() => end(false), timeout) : undefined
    core.on('peer-add', onpeer)
    signal.addEventListener('abort', onabort, { once: true })
  })
}

function wantedCores(
  { cores }: BootstrapManifest,
  names: readonly string[] | undefined
): (core: number) => boolean {
  if (names === undefined) return () => true
  const known = cores.map((core) => core.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new NodeError(
      'BAD_OPTION',
      `the log has no core ${JSON.stringify(unknown)}; it has ${known.join(', ')}`
    )
  const wanted = new Set(names.map((name) => known.indexOf(name)))
  return (core) => wanted.has(core)
}

/** Whether the place to begin at depends on where the log ends, which a store that has been away does not know. */
function isFromEnd(place: 'end' | Place): boolean {
  return place === 'end' || (typeof place === 'number' && place < 0)
}

function orderedPlace(from: 'start' | 'end' | Place): number | 'end' {
  if (from === 'start') return 0
  if (from === 'end' || Number.isSafeInteger(from)) return from as number | 'end'
  throw new NodeError(
    'BAD_OPTION',
    `${JSON.stringify(from)} is no place in this log: it is start, end, or a position`
  )
}

function perCorePlace(from: 'start' | 'end' | Place): { readonly [core: string]: number } | 'end' {
  if (from === 'start' || from === 0) return {}
  if (from === 'end' || typeof from === 'object') return from
  throw new NodeError(
    'BAD_OPTION',
    `a tutorial log has no positions: begin at start, at end, or at a cursor, not at ${from}`
  )
}
