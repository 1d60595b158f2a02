import type { JournalRecord, LogManifest, LostRange } from '@many-cores/protocol'
import type { Blocks } from './blocks.ts'
import { decodeRecord } from './record.ts'

/** Whoever has the newest record sends it within this time; without it a follower begins with what it knows. */
const LOOK_MS = 1000

/** What a log has lost, as far as it is known: the ranges of its journal that hold no record any more. */
export class Losses {
  #ranges: readonly LostRange[]
  /** The journal's length when it was last looked at. */
  #looked = 0

  constructor(ranges: readonly LostRange[] = []) {
    this.#ranges = ranges
  }

  /** Asks the newest record, which leads to all losses before it; whether it is news. Null where it cannot be had now. */
  async look(journal: Blocks, manifest: LogManifest): Promise<boolean | null> {
    const { length } = journal
    if (length < 2 || length === this.#looked) return false
    const read = async (index: number): Promise<JournalRecord | null> => {
      const block = await journal.within(index, LOOK_MS)
      return block === null ? null : decodeRecord(block, index, manifest)
    }
    const last = await read(length - 1)
    const loss = last === null || last.loss === undefined ? last : await read(last.loss)
    if (loss === null) return null
    this.#looked = length
    return this.take(loss)
  }

  /** Learns what `record` says, if it is a loss record; whether it is news. */
  take({ lost }: JournalRecord): boolean {
    const known = this.#ranges.at(-1)?.[1] ?? 0
    if (lost === undefined || (lost.at(-1)?.[1] ?? 0) <= known) return false
    this.#ranges = lost
    return true
  }

  /** Whether any record from block `index` on was lost. */
  concern(index: number): boolean {
    return this.#ranges.some(([first, end]) => first < end && end > index)
  }

  /** The block where the journal goes on: `index`, or the end of the range that it lies in. */
  skip(index: number): number {
    return this.#rangeOf(index)?.[1] ?? index
  }

  /** The block before `index` that the journal has; 0 if there is none. */
  before(index: number): number {
    return (this.#rangeOf(index - 1)?.[0] ?? index) - 1
  }

  #rangeOf(index: number): LostRange | undefined {
    return this.#ranges.find(([first, end]) => first <= index && index < end)
  }
}
