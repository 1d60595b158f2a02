import type { LogManifest } from '@many-cores/protocol'
import { ignore } from '../errors.ts'
import type { OnStatus } from '../status.ts'
import type { ReadableLog } from './readable-log.ts'
import { lastPosition } from './seek.ts'

/** People read no faster, and each look at the end of the log reads a journal record. */
const INTERVAL_MS = 200

/**
 * Reports how far a follower has come, until it has delivered all lines that its peers are known to have. Costs one reading
 * of the clock per batch, and nothing per line.
 */
export class Progress {
  readonly #log: ReadableLog<LogManifest>
  readonly #onStatus: OnStatus
  readonly #live: boolean
  readonly #began = performance.now()
  /** The end of the log when it was last read: a position, and a length of the journal. */
  #end = 0
  #endBlock = 0
  #position = 0
  #bytes = 0
  #reportedAt = Number.NEGATIVE_INFINITY
  #isReadingEnd = false
  #isDone = false

  /** `live`: whether the follower continues at the end. */
  constructor(
    log: ReadableLog<LogManifest>,
    { live, onStatus }: { readonly live: boolean; readonly onStatus: OnStatus }
  ) {
    this.#log = log
    this.#live = live
    this.#onStatus = onStatus
  }

  /** All lines before `position` are delivered; `bytes` of blocks were used since the last call. */
  update(position: number, bytes: number): void {
    if (this.#isDone) return
    this.#position = position
    this.#bytes += bytes
    if (this.#isReadingEnd) return
    if (this.#endBlock === this.#log.bootstrap.length) {
      this.#report()
      return
    }
    if (this.#position < this.#end && performance.now() - this.#reportedAt < INTERVAL_MS) return
    this.#isReadingEnd = true
    this.#readEnd()
      // the follower reads the same record, and reports its faults
      .catch(ignore)
      .finally(() => {
        this.#isReadingEnd = false
      })
  }

  async #readEnd(): Promise<void> {
    const { bootstrap, manifest } = this.#log
    const { length } = bootstrap
    this.#end = (await lastPosition(bootstrap, manifest, { wait: true })) ?? 0
    this.#endBlock = length
    this.#report()
  }

  #report(): void {
    if (this.#position >= this.#end) {
      this.#isDone = true
      if (this.#live) this.#onStatus({ state: 'live', lines: this.#position })
      return
    }
    const now = performance.now()
    if (now - this.#reportedAt < INTERVAL_MS) return
    this.#reportedAt = now
    this.#onStatus({
      state: 'syncing',
      lines: this.#position,
      total: this.#end,
      bytes: this.#bytes,
      elapsed: now - this.#began
    })
  }
}
