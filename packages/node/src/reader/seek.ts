import { endOfRecord, type JournalRecord, type LogManifest } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { badRecord, decodeRecord, namingBlock } from '../journal/record.ts'
import { awaitBlock, type Blocks, type WaitOptions } from './blocks.ts'
import type { OrderedBound } from './bound.ts'

/** Finds positions and times in a journal by bisection, reading about 20 of a million records. */
export class JournalSearch {
  readonly #journal: Blocks
  readonly #manifest: LogManifest
  readonly #options: WaitOptions
  /** By block. Each record is checked against the others: a search that reads a few records relies on their order. */
  readonly #known = new Map<number, JournalRecord>()

  constructor(journal: Blocks, manifest: LogManifest, options: WaitOptions) {
    this.#journal = journal
    this.#manifest = manifest
    this.#options = options
  }

  /** The position of `bound`, as far as the journal is known now. */
  async positionOf(bound: OrderedBound): Promise<number> {
    if (typeof bound === 'object') return await this.#positionAt(bound.time)
    if (bound === 'end') return await this.#end()
    return bound < 0 ? Math.max(0, (await this.#end()) + bound) : bound
  }

  /** The block whose record holds `position`, or the index after the last block. */
  async blockOf(position: number): Promise<number> {
    const { length } = this.#journal
    if (position === 0 || length < 2) return 1
    if (position >= (await this.#end())) return length
    // the last record that does not begin after the position
    return Math.max(1, (await this.#bisect(({ seq }) => seq > position)) - 1)
  }

  async #end(): Promise<number> {
    const { length } = this.#journal
    return length < 2 ? 0 : endOfRecord(await this.#read(length - 1))
  }

  /** The position of the first line that became durable at `time` or later, or the end. */
  async #positionAt(time: number): Promise<number> {
    const { length } = this.#journal
    if (length < 2) return 0
    const last = await this.#read(length - 1)
    if (last.time < time) return endOfRecord(last)
    return (await this.#read(await this.#bisect((record) => record.time >= time))).seq
  }

  /** The first block whose record `isAfter`, as all later ones are, or the index after the last block. */
  async #bisect(isAfter: (record: JournalRecord) => boolean): Promise<number> {
    let low = 1
    let high = this.#journal.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isAfter(await this.#read(middle))) high = middle
      else low = middle + 1
    }
    return low
  }

  async #read(index: number): Promise<JournalRecord> {
    const known = this.#known.get(index)
    if (known !== undefined) return known
    const block = await awaitBlock(this.#journal.get(index), this.#journal, index, this.#options)
    const record = decodeRecord(block, index, this.#manifest)
    namingBlock(index, () => {
      for (const other of this.#known)
        if (other[0] < index) checkOrder(other, [index, record])
        else checkOrder([index, record], other)
    })
    this.#known.set(index, record)
    return record
  }
}

/** The end of the log by its last known record; null if that is not stored and `wait` is false. */
export async function lastPosition(
  bootstrap: Hypercore,
  manifest: LogManifest,
  options: { readonly wait: boolean }
): Promise<number | null> {
  const last = bootstrap.length - 1
  if (last < 1) return 0
  const block = await bootstrap.get(last, options)
  return block === null ? null : endOfRecord(decodeRecord(block, last, manifest))
}

type IndexedRecord = readonly [index: number, record: JournalRecord]

function checkOrder([before, earlier]: IndexedRecord, [index, later]: IndexedRecord): void {
  const end = endOfRecord(earlier)
  if (later.seq < end + index - before - 1)
    throw badRecord(`block ${before} ends at position ${end}, and block ${index} begins at ${later.seq}`)
  if (later.time < earlier.time)
    throw badRecord(`block ${before} has time ${earlier.time}, and block ${index} has ${later.time}`)
}
