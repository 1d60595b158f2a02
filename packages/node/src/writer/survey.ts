import { endOfRecord, type JournalRecord, type LogManifest, MAX_BATCH_LINES } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { Losses } from '../follow/losses.ts'
import { decodeRecord } from '../follow/record.ts'
import type { LostBlocks } from './lost-blocks.ts'
import { firstAbsent } from './present.ts'

/** A data core: how many blocks it has, and before which of them none is missing that is not known to be lost. */
export interface CoreExtents {
  readonly length: number
  readonly whole: number
}

/** How far a log is whole: every record is here, and every block that it names, and no others. */
export interface Survey {
  /** Of the journal's blocks, those before this one. */
  readonly journal: number
  /** Behind the last line of those. */
  readonly position: number
  readonly time: number
  /** What those name of each core. */
  readonly ends: ReadonlyMap<number, number>
  /** The block of the last loss among those; 0 if there is none. */
  readonly loss: number
  /** Why it is not whole; null if it is. */
  readonly fault: string | null
  /** What the records behind those name of each core at most. */
  readonly named: ReadonlyMap<number, number>
  /** Behind the last line that those may have: a record that is not here counts as the longest there is. */
  readonly bound: number
  /** Whether any of those is not here, so that nobody knows what it names. */
  readonly isUnknown: boolean
}

export interface Surveyed {
  readonly bootstrap: Hypercore
  readonly manifest: LogManifest
  readonly cores: readonly CoreExtents[]
  readonly lost: LostBlocks
  /** The lines before this position were never lost here: blocks that nobody has are looked for behind it alone. */
  readonly from: number
  /** Compare every core with the last record that names it; else those that the last record names. */
  readonly all: boolean
}

/** Reads the journal backwards, as far as anything can be missing. */
export async function survey(log: Surveyed): Promise<Survey> {
  const { bootstrap, manifest, lost } = log
  const losses = new Losses(lost.journal)
  const walk = new Walk(log, await firstAbsent(bootstrap, lost.journal))
  for (let index = bootstrap.length - 1; index > 0 && !walk.isOver; index = losses.before(index)) {
    const block = await bootstrap.get(index, { wait: false })
    walk.take(index, block === null ? null : decodeRecord(block, index, manifest))
  }
  return walk.end()
}

class Walk {
  readonly #log: Surveyed
  /** Records before this block are here. */
  readonly #present: number
  readonly #open: Set<number>
  readonly #ends = new Map<number, number>()
  readonly #named = new Map<number, number>()
  #tail: JournalRecord | null = null
  #journal: number
  #bound: number | null = null
  #unknown = 0
  #fault: string | null = null
  isOver = false

  constructor(log: Surveyed, present: number) {
    this.#log = log
    this.#present = present
    this.#journal = log.bootstrap.length
    this.#open = new Set(log.all ? log.cores.keys() : [])
    for (const [core, { length }] of log.cores.entries()) if (length === 0) this.#open.delete(core)
  }

  take(index: number, record: JournalRecord | null): void {
    const fault = record === null ? `block ${index} of its journal is missing` : this.#faultOf(record)
    if (record === null && this.#bound === null) this.#unknown++
    if (record !== null) this.#bound ??= endOfRecord(record) + this.#unknown * MAX_BATCH_LINES
    if (fault !== null) this.#giveUp(index, fault)
    if (record === null) return
    if (fault === null) this.#tail ??= record
    for (const [core, length, blocks] of record.at) this.#name(core, length, length + blocks, fault === null)
    this.isOver =
      this.#open.size === 0 && index < this.#present && fault === null && record.seq <= this.#log.from
  }

  end(): Survey {
    const position = this.#tail === null ? 0 : endOfRecord(this.#tail)
    return {
      journal: this.#journal,
      position,
      time: this.#tail?.time ?? 0,
      ends: this.#ends,
      loss: this.#tail?.lost?.at(-1)?.[1] ?? this.#tail?.loss ?? 0,
      fault: this.#fault ?? this.#orphans(),
      named: this.#named,
      bound: Math.max(position, this.#bound ?? this.#unknown * MAX_BATCH_LINES),
      isUnknown: this.#present < this.#log.bootstrap.length
    }
  }

  #faultOf({ at, lost }: JournalRecord): string | null {
    for (const [core, length, blocks] of at) {
      const extents = this.#log.cores[core]
      const here = (lost === undefined ? extents?.whole : extents?.length) ?? 0
      if (length + blocks > here)
        return `its journal ends with ${length + blocks} blocks in core ${core}, which has ${here}`
    }
    return null
  }

  /** What was found behind is not whole, either: what stays has no gap. */
  #giveUp(index: number, fault: string): void {
    this.#journal = index
    this.#fault = fault
    this.#tail = null
    for (const core of this.#ends.keys()) this.#open.add(core)
    this.#ends.clear()
  }

  #name(core: number, length: number, end: number, isWhole: boolean): void {
    if (isWhole && !this.#ends.has(core)) this.#ends.set(core, end)
    this.#named.set(core, Math.max(end, this.#named.get(core) ?? 0))
    // nothing before it can name what is missing of this core
    if (isWhole || (length === 0 && this.#log.cores[core]?.whole === 0)) this.#open.delete(core)
  }

  #orphans(): string | null {
    for (const [core, { length }] of this.#log.cores.entries()) {
      const end = this.#ends.get(core) ?? (this.#log.all ? 0 : length)
      if (length !== end) return `its journal ends with ${end} blocks in core ${core}, which has ${length}`
    }
    return null
  }
}
