import { setTimeout } from 'node:timers/promises'
import type { JournalRecord } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { SharedCore } from 'hypercore'
import { ignore } from '../errors.ts'
import { readExtent, writeExtent } from './extent.ts'
import { cannotAppend, countBlocks, findTail, nameOf, readRecord, type StoredLog, type Tail } from './tail.ts'

/** How long to wait for a block that a connected peer has … */
const STALL_MS = 10_000

/** … and for a block that no connected peer has, or for the proof of a length that a peer claims. */
const PROOF_MS = 2000

const POLL_MS = 10

/** Whether a connected peer claims a longer journal or data core. */
export function isBehind({ store }: StoredLog): boolean {
  return coresBehind(store).length > 0
}

/**
 * Fetches the part of the log that connected peers have and this store lacks: first the records of the journal, then the blocks that
 * they name. An interrupted call is continued by the next one. Resolves to the end of the log.
 *
 * @throws NodeError `STORE_REFUSED` if no connected peer sends a block, or as `findTail`.
 */
export async function recover(log: StoredLog, signal: AbortSignal): Promise<Tail> {
  const { bootstrap } = log
  const known = (await readExtent(bootstrap))?.journal
  const from = known ?? bootstrap.length
  const last = Math.min(from, bootstrap.length - 1)
  if (isBehind(log) || from !== bootstrap.length || !(await bootstrap.has(last))) {
    if (known === undefined) await writeExtent(bootstrap, { journal: from, blocks: await countBlocks(log) })
    await recoverJournal(bootstrap, last, signal)
    for (let index = Math.max(1, from); index < bootstrap.length; index++)
      await recoverBatch(log, await readRecord(log, index), signal)
    await extendData(log, signal)
  }
  return await findTail(log)
}

/** Extends the data cores as far as peers can prove. `findTail` then refuses blocks that no record names, which an append would fork. */
async function extendData({ store, bootstrap }: StoredLog, signal: AbortSignal): Promise<void> {
  const cores = coresBehind(store).filter((core) => core !== bootstrap.core)
  const extensions = cores.map(async ({ key }) => {
    const core = store.get({ key: key as Uint8Array })
    try {
      await core.ready()
      await extend(core, () => longest(core), signal)
    } finally {
      await core.close()
    }
  })
  await Promise.all(extensions)
}

/** The writer's own open cores of which a connected peer claims more blocks. */
function coresBehind(store: Corestore): SharedCore[] {
  return [...store.cores].filter(
    ({ opened, header, replicator, state }) =>
      opened &&
      header.keyPair !== null &&
      longest({ peers: replicator.peers, fork: state.fork }) > state.length
  )
}

/** Fetches the blocks of the journal that connected peers have, from `start` on, as far as peers can prove them. */
export async function recoverJournal(
  bootstrap: Hypercore,
  start: number,
  signal: AbortSignal
): Promise<void> {
  await extend(bootstrap, () => longest(bootstrap), signal)
  await fetchBlocks({ name: 'the journal', core: bootstrap, start, end: bootstrap.length }, signal)
}

async function recoverBatch(log: StoredLog, { at }: JournalRecord, signal: AbortSignal): Promise<void> {
  const fetches = at.map(async ([index, start, blocks]) => {
    const core = await log.openCore(index)
    const end = start + blocks
    await extend(core, () => end, signal)
    await fetchBlocks({ name: nameOf(log, index), core, start, end }, signal)
  })
  await Promise.all(fetches)
}

/** Makes the core as long as `end` says, or as peers can prove. */
async function extend(core: Hypercore, end: () => number, signal: AbortSignal): Promise<void> {
  if (core.length >= end()) return
  // once it is closed, nothing more is requested: from then on, only the writer makes the core longer
  const session = core.session()
  try {
    await session.ready()
    requestLength(session, () => core.length >= end())
    await reaches({ progress: () => core.length, goal: end, timeout: () => PROOF_MS }, signal)
  } finally {
    await session.close()
  }
}

/** Repeats the request: one peer may prove less than another. */
function requestLength(session: Hypercore, isDone: () => boolean): void {
  session.update({ force: true, wait: true }).then((hasGrown) => {
    if (hasGrown && !isDone()) requestLength(session, isDone)
  }, ignore)
}

interface Range {
  readonly name: string
  readonly core: Hypercore
  readonly start: number
  readonly end: number
}

async function fetchBlocks({ name, core, start, end }: Range, signal: AbortSignal): Promise<void> {
  let missing = start
  const progress = async (): Promise<number> => {
    while (missing < end && (await core.has(missing))) missing++
    return missing
  }
  if ((await progress()) === end) return
  const download = core.download({ start, end, linear: true })
  try {
    const timeout = (): number => (longest(core) > missing ? STALL_MS : PROOF_MS)
    if (!(await reaches({ progress, goal: () => end, timeout }, signal)))
      throw cannotAppend(`block ${missing} of ${name} is missing, and no connected peer has sent it`)
  } finally {
    download.destroy()
  }
}

interface Progress {
  readonly progress: () => number | Promise<number>
  readonly goal: () => number
  /** How long to wait without progress, in ms. */
  readonly timeout: () => number
}

/** Waits until `progress` reaches `goal`; false if it stops before. */
async function reaches({ progress, goal, timeout }: Progress, signal: AbortSignal): Promise<boolean> {
  let last = Number.NaN
  let since = 0
  while (true) {
    const current = await progress()
    if (current >= goal()) return true
    if (current !== last) since = performance.now()
    if (performance.now() - since > timeout()) return false
    last = current
    await setTimeout(POLL_MS, undefined, { signal })
  }
}

function longest({ peers, fork }: Pick<Hypercore, 'peers' | 'fork'>): number {
  return Math.max(0, ...peers.filter((peer) => peer.remoteFork === fork).map((peer) => peer.remoteLength))
}
