import { setTimeout } from 'node:timers/promises'
import type { JournalRecord } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { SharedCore } from 'hypercore'
import type { Internals } from '../internals.ts'
import { comesTrue } from '../waiting.ts'
import { readExtent, writeExtent } from './extent.ts'
import { countBlocks, nameOf, readRecord, type StoredLog, unfit } from './tail.ts'

/** Connected peers say within this time how long their cores are. */
const ANSWER_MS = 1000

/** A peer that has a missing block and sends nothing for so long does not send it … */
const STALL_MS = 10_000

/** … and nobody waits longer than this for what no peer has, or for the proof of a length that one claims. */
const PROOF_MS = 2000

const POLL_MS = 10

export interface MeetOptions {
  /** How long to wait for peers where there are none, in ms. */
  readonly patience: number
  readonly signal: AbortSignal
}

/** Looks for peers of the log until all networks were asked once, and hears how long their journals are. */
export async function meetPeers(
  bootstrap: Hypercore,
  { join, looked, peers }: Internals,
  { patience, signal }: MeetOptions
): Promise<void> {
  await join(bootstrap)
  await looked(bootstrap, patience, signal)
  // not all of them share this log
  const hasAnswered = (): boolean =>
    bootstrap.peers.filter((peer) => peer.remoteSynced).length >= peers.count()
  await comesTrue(hasAnswered, Math.min(ANSWER_MS, patience), signal)
}

/** Whether a connected peer says that it has more of the log. */
export function isBehind({ store }: StoredLog): boolean {
  return behind(store).length > 0
}

/** Gets the blocks of the journal that connected peers have, from block `from` on. What they claim and do not prove is left out. */
export async function healJournal(bootstrap: Hypercore, from: number, signal: AbortSignal): Promise<void> {
  await grow(bootstrap, () => longest(bootstrap), signal)
  await fetchBlocks({ name: 'the journal', core: bootstrap, start: from, end: bootstrap.length }, signal)
}

/**
 * Gets back what connected peers hold of the log and this store does not: the records of the journal first, then the blocks that
 * they name. Where it is interrupted, the next call goes on.
 *
 * @throws NodeError `STORE_REFUSED` where no connected peer sends a block.
 */
export async function heal(log: StoredLog, signal: AbortSignal): Promise<void> {
  const { bootstrap } = log
  const known = (await readExtent(bootstrap))?.journal
  const from = known ?? bootstrap.length
  const last = Math.min(from, bootstrap.length - 1)
  if (!isBehind(log) && from === bootstrap.length && (await bootstrap.has(last))) return
  if (known === undefined) await writeExtent(bootstrap, { journal: from, blocks: await countBlocks(log) })
  await healJournal(bootstrap, last, signal)
  for (let index = Math.max(1, from); index < bootstrap.length; index++)
    await healBatch(log, await readRecord(log, index), signal)
  await growData(log, signal)
}

/** Makes the data cores as long as peers can prove: blocks that no record names are noticed then, and not written over. */
async function growData({ store, bootstrap }: StoredLog, signal: AbortSignal): Promise<void> {
  const cores = behind(store).filter((core) => core !== bootstrap.core)
  const growing = cores.map(async ({ key }) => {
    const core = store.get({ key: key as Uint8Array })
    try {
      await core.ready()
      await grow(core, () => longest(core), signal)
    } finally {
      await core.close()
    }
  })
  await Promise.all(growing)
}

/** The cores of ours of which a connected peer says that it has more. */
function behind(store: Corestore): SharedCore[] {
  return [...store.cores].filter(
    ({ opened, header, replicator, state }) =>
      opened &&
      header.keyPair !== null &&
      longest({ peers: replicator.peers, fork: state.fork }) > state.length
  )
}

async function healBatch(log: StoredLog, { at }: JournalRecord, signal: AbortSignal): Promise<void> {
  const fetches = at.map(async ([index, start, blocks]) => {
    const core = await log.openCore(index)
    const end = start + blocks
    await grow(core, () => end, signal)
    await fetchBlocks({ name: nameOf(log, index), core, start, end }, signal)
  })
  await Promise.all(fetches)
}

/** Makes the core as long as `end` says, or as peers can prove. */
async function grow(core: Hypercore, end: () => number, signal: AbortSignal): Promise<void> {
  if (core.length >= end()) return
  // closed, it asks for nothing more: from then on only its writer makes the core longer
  const session = core.session()
  try {
    await session.ready()
    askForMore(session, () => core.length >= end())
    await progressing(
      { isDone: () => core.length >= end(), progress: () => core.length, patience: () => PROOF_MS },
      signal
    )
  } finally {
    await session.close()
  }
}

/** A writer's own core does not grow by itself, and one peer may prove less than another. */
function askForMore(session: Hypercore, isDone: () => boolean): void {
  session.update({ force: true, wait: true }).then((hasGrown) => {
    if (hasGrown && !isDone()) askForMore(session, isDone)
  }, ignore)
}

interface Range {
  readonly name: string
  readonly core: Hypercore
  readonly start: number
  readonly end: number
}

async function fetchBlocks({ name, core, start, end }: Range, signal: AbortSignal): Promise<void> {
  let absent = start
  const isDone = async (): Promise<boolean> => {
    while (absent < end && (await core.has(absent))) absent++
    return absent === end
  }
  if (await isDone()) return
  const download = core.download({ start, end, linear: true })
  try {
    const patience = (): number => (longest(core) > absent ? STALL_MS : PROOF_MS)
    const isWhole = await progressing({ isDone, progress: () => absent, patience }, signal)
    if (!isWhole) throw unfit(`block ${absent} of ${name} is missing, and no connected peer sends it`)
  } finally {
    download.destroy()
  }
}

interface Watched {
  readonly isDone: () => boolean | Promise<boolean>
  readonly progress: () => number
  /** How long to wait without progress, in ms. */
  readonly patience: () => number
}

/** Whether it was done before it made no more progress. */
async function progressing({ isDone, progress, patience }: Watched, signal: AbortSignal): Promise<boolean> {
  let last = progress()
  let since = performance.now()
  while (!(await isDone())) {
    if (progress() !== last) since = performance.now()
    last = progress()
    if (performance.now() - since > patience()) return false
    await setTimeout(POLL_MS, undefined, { signal })
  }
  return true
}

function longest({ peers, fork }: Pick<Hypercore, 'peers' | 'fork'>): number {
  return Math.max(0, ...peers.filter((peer) => peer.remoteFork === fork).map((peer) => peer.remoteLength))
}

function ignore(): void {}
