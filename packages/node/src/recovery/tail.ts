import {
  type CoreKey,
  endOfRecord,
  type JournalRecord,
  keyToBytes,
  type LogManifest
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'
import type { Damage } from '../integrity/damage.ts'
import { decodeRecord } from '../journal/record.ts'
import { type Extent, readExtent, writeExtent } from './extent.ts'

/** A log in the store of its writer. */
export interface StoredLog {
  readonly key: CoreKey
  /** Whether it was just created. */
  readonly isNew: boolean
  readonly store: Corestore
  readonly damage: Damage
  readonly bootstrap: Hypercore
  readonly manifest: LogManifest
  readonly openCore: (index: number) => Promise<Hypercore>
}

/** The end of a log, where the writer continues. */
export interface Tail extends Extent {
  /** The position of the next line. */
  readonly position: number
  /** The time of the last record, 0 if there is none. */
  readonly time: number
  /** How many blocks each data core has. */
  readonly lengths: readonly number[]
}

/**
 * Finds the end of the log, and checks that journal and data cores fit together. A batch is one atom, so only blocks from peers or
 * from other software can break that. `recover` has fetched every block that the records after the stored extent name; this checks
 * the lengths of all cores. The cost does not depend on the length of the log.
 *
 * @throws NodeError `STORE_REFUSED`, with the core and its length.
 */
export async function findTail(log: StoredLog): Promise<Tail> {
  const { bootstrap } = log
  const journal = bootstrap.length
  const lengths = await storedLengths(log)
  const blocks = sum(lengths)
  const known = (await readExtent(bootstrap)) ?? { journal, blocks }
  if (journal < known.journal)
    throw cannotAppend(`its journal had ${known.journal} blocks, and now has ${journal}`)
  const ends = new Map<number, number>()
  let named = known.blocks
  let last: JournalRecord | null = null
  for (let index = Math.max(1, Math.min(known.journal, journal - 1)); index < journal; index++) {
    last = await readRecord(log, index)
    for (const [core, length, added] of last.at) ends.set(core, length + added)
    if (index >= known.journal) named += sum(last.at.map(([, , added]) => added))
  }
  for (const [core, end] of ends) {
    if (lengths[core] !== end)
      throw cannotAppend(
        `its journal names ${end} blocks of ${nameOf(log, core)}, which has ${lengths[core]}`
      )
  }
  if (blocks !== named)
    throw cannotAppend(`its journal names ${named} blocks of data cores, which have ${blocks}`)
  if (journal > known.journal) await writeExtent(bootstrap, { journal, blocks })
  return { journal, blocks, position: last === null ? 0 : endOfRecord(last), time: last?.time ?? 0, lengths }
}

/** The position of the next line by the last stored record, not checked further; 0 if there is none, or its block is missing. */
export async function storedPosition({ damage, bootstrap, manifest }: StoredLog): Promise<number> {
  const last = bootstrap.length - 1
  const block = last < 1 ? null : await damage.read(bootstrap, last)
  return block === null ? 0 : endOfRecord(decodeRecord(block, last, manifest))
}

/** The record in block `index` of the journal. Throws NodeError `STORE_REFUSED` if the block is missing. */
export async function readRecord(
  { damage, bootstrap, manifest }: StoredLog,
  index: number
): Promise<JournalRecord> {
  const block = await damage.read(bootstrap, index)
  if (block === null) throw cannotAppend(`block ${index} of the journal is missing`)
  return decodeRecord(block, index, manifest)
}

/** The number of stored blocks of all data cores. */
export async function countBlocks(log: StoredLog): Promise<number> {
  return sum(await storedLengths(log))
}

/** The stored length of each data core. Opening a core takes milliseconds, and a log may have 16,384, so this opens none. */
async function storedLengths({ store, manifest }: StoredLog): Promise<number[]> {
  const infos = await store.storage.getInfos(
    manifest.cores.map(({ key }) => Hypercore.discoveryKey(keyToBytes(key))),
    { auth: false, hints: false }
  )
  return infos.map((info) => info?.head?.length ?? 0)
}

export function nameOf({ manifest }: StoredLog, core: number): string {
  return `core ${manifest.cores[core]?.name}`
}

/** The error for a store that can be read, but whose log must not be continued. */
export function cannotAppend(fault: string): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    `cannot append to this store: ${fault}. Appending now would fork the log. Restart while a reader that has every line is connected, or start a new log with a new --storage`
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
