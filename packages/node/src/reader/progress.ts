import { endOfRecord, type LogManifest } from '@many-cores/protocol'
import { ignore } from '../errors.ts'
import { decodeRecord } from '../journal/record.ts'
import type { OnStatus } from '../status.ts'
import type { ReadableLog } from './readable-log.ts'

/** People read no faster, and asking for the end costs a journal record. */
const INTERVAL_MS = 200

export interface ProgressOptions {
  /** Whether the follower goes on at the end. */
  readonly live: boolean
  readonly onStatus: OnStatus
}

/**
 * Tells how far a follower has come, until it has delivered all that its peers are known to have. A clock is read for each
 * batch and nothing done for a line.
 */
export class Progress {
  readonly #log: ReadableLog<LogManifest>
  readonly #onStatus: OnStatus
  readonly #live: boolean
  readonly #began = performance.now()
  /** Where the log ends, as far as it was looked up: in lines, and in blocks of the journal. */
  #end = 0
  #endBlock = 0
  #position = 0
  #bytes = 0
  #saidAt = Number.NEGATIVE_INFINITY
  #isLooking = false
  #isDone = false

  constructor(log: ReadableLog<LogManifest>, { live, onStatus }: ProgressOptions) {
    this.#log = log
    this.#live = live
    this.#onStatus = onStatus
  }

  /** All before `position` is delivered; `bytes` of blocks were needed since the last call. */
  reach(position: number, bytes: number): void {
    if (this.#isDone) return
    this.#position = position
    this.#bytes += bytes
    this.#look()
  }

  #look(): void {
    if (this.#isLooking) return
    if (this.#endBlock === this.#log.bootstrap.length) {
      this.#say()
      return
    }
    // again only when that much is delivered, or it is time for a word: each look costs a record
    if (this.#position < this.#end && performance.now() - this.#saidAt < INTERVAL_MS) return
    this.#isLooking = true
    this.#findEnd()
      // what is wrong with the record is the follower's to say
      .catch(ignore)
      .finally(() => {
        this.#isLooking = false
      })
  }

  async #findEnd(): Promise<void> {
    const { bootstrap, manifest } = this.#log
    const { length } = bootstrap
    this.#end =
      length < 2 ? 0 : endOfRecord(decodeRecord(await bootstrap.get(length - 1), length - 1, manifest))
    this.#endBlock = length
    this.#say()
  }

  #say(): void {
    if (this.#position >= this.#end) {
      this.#isDone = true
      if (this.#live) this.#onStatus({ state: 'live', lines: this.#position })
      return
    }
    const now = performance.now()
    if (now - this.#saidAt < INTERVAL_MS) return
    this.#saidAt = now
    this.#onStatus({
      state: 'syncing',
      lines: this.#position,
      total: this.#end,
      bytes: this.#bytes,
      elapsed: now - this.#began
    })
  }
}
