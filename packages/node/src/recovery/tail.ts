import { endOfRecord, type JournalRecord, keyToBytes, type LogManifest } from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore from 'hypercore'
import type { Damage } from '../damage.ts'
import { NodeError } from '../errors.ts'
import { decodeRecord } from '../follow/record.ts'
import { type Extent, readExtent, writeExtent } from './extent.ts'

/** A log in the store of its writer. */
export interface StoredLog {
  readonly store: Corestore
  readonly damage: Damage
  readonly bootstrap: Hypercore
  readonly manifest: LogManifest
  readonly openCore: (index: number) => Promise<Hypercore>
}

/** Where a log goes on. */
export interface Tail extends Extent {
  /** The position of the next line. */
  readonly position: number
  /** The time of the last record, 0 if there is none. */
  readonly time: number
  /** How many blocks each data core has. */
  readonly lengths: readonly number[]
}

/**
 * Where the log ends, once journal and data cores are known to fit together. A batch is one atom, so only what came from peers,
 * or was appended by other software, can have left them apart: `heal` has got every block that the records behind the stored extent
 * name; here all cores are checked by the number of their blocks. The cost does not depend on the length of the log.
 *
 * @throws NodeError `STORE_REFUSED`, naming core and block.
 */
export async function findTail(log: StoredLog): Promise<Tail> {
  const { bootstrap } = log
  const journal = bootstrap.length
  const lengths = await storedLengths(log)
  const blocks = sum(lengths)
  const known = (await readExtent(bootstrap)) ?? { journal, blocks }
  if (journal < known.journal) throw unfit(`its journal had ${known.journal} blocks, and has ${journal} now`)
  const ends = new Map<number, number>()
  let named = known.blocks
  let last: JournalRecord | null = null
  for (let index = Math.max(1, Math.min(known.journal, journal - 1)); index < journal; index++) {
    last = await readRecord(log, index)
    for (const [core, length, added] of last.at) ends.set(core, length + added)
    if (index < known.journal) continue
    named += sum(last.at.map(([, , added]) => added))
  }
  for (const [core, end] of ends) {
    if (lengths[core] !== end)
      throw unfit(`its journal ends with ${end} blocks in ${nameOf(log, core)}, which has ${lengths[core]}`)
  }
  if (blocks !== named) throw unfit(`its journal names ${named} blocks of data cores, which have ${blocks}`)
  if (journal > known.journal) await writeExtent(bootstrap, { journal, blocks })
  return { journal, blocks, position: last === null ? 0 : endOfRecord(last), time: last?.time ?? 0, lengths }
}

/** The position of the next line by the last record that is stored, whether it fits or not; 0 where that one is not here. */
export async function storedPosition({ damage, bootstrap, manifest }: StoredLog): Promise<number> {
  const last = bootstrap.length - 1
  const block = last < 1 ? null : await damage.read(bootstrap, last)
  return block === null ? 0 : endOfRecord(decodeRecord(block, last, manifest))
}

/** The record in block `index` of the journal. Throws NodeError `STORE_REFUSED` where it is not here. */
export async function readRecord(
  { damage, bootstrap, manifest }: StoredLog,
  index: number
): Promise<JournalRecord> {
  const block = await damage.read(bootstrap, index)
  if (block === null) throw unfit(`block ${index} of its journal is missing`)
  return decodeRecord(block, index, manifest)
}

/** How many blocks all data cores have here. */
export async function countBlocks(log: StoredLog): Promise<number> {
  return sum(await storedLengths(log))
}

/** How many blocks each data core has here, without opening it: that takes milliseconds, and a log may have 16,384. */
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

/** Not `STORE_DAMAGED`: all of it can be read, and does not fit together, or not to what was there. */
export function unfit(fault: string, options?: ErrorOptions): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    `the store cannot be written to: ${fault}. Appending would rewrite what readers have: start again while a reader that has everything is connected, or use a new --storage for a new log`,
    options
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
