import { setTimeout } from 'node:timers/promises'
import type { LostRange } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import type { LostBlocks } from './lost-blocks.ts'
import { firstAbsent } from './present.ts'

/** How long a writer looks for peers who may hold more than it does; whoever is on this machine is found at once. */
export const COMPARE_MS = 5000

/** Who is connected says within this time how long the cores are that they hold. */
const ANSWER_MS = 1000

/** A peer who holds what was lost here, and sends nothing for so long, does not send it … */
const STALL_MS = 10_000

/** … and one who says that it holds more, and proves nothing for so long, does not; nor is what nobody says to have waited for. */
const PROOF_MS = 2000

const POLL_MS = 10

/** What to do where others have more than this store, and not all of it. */
export const WAYS_OUT =
  'start again while a reader that has everything is connected, or go on without those lines, for good: --accept-loss'

/** Data cores that are compared at once. */
const CORES_AT_ONCE = 64

/** The cores of a log, as its writer has them. */
export interface ComparedLog {
  readonly bootstrap: Hypercore
  /** How many data cores block 0 names; asked once it is here. */
  countCores(): Promise<number>
  openCore(index: number): Promise<Hypercore>
  /** The block of the newest loss that the journal names, as far as it is here; null if it names none. */
  readLoss(): Promise<number | null>
  /** What nobody need have, by the losses that are here. */
  readLost(): Promise<LostBlocks>
}

/** How a log is compared. */
export interface CompareOptions {
  /** Take what there is, where nobody sends the rest. */
  readonly acceptLoss: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * Compares the cores of a log that was not ended cleanly with those of whoever can be reached, and gets back what others hold
 * and this store has lost. Takes at most `COMPARE_MS` where nobody is there.
 *
 * @throws NodeError `STORE_REFUSED` where a peer has signatures of more, and nobody sends what they stand for; not with `acceptLoss`.
 */
export async function compare(
  log: ComparedLog,
  { join, looked, peerCount, onStatus }: Internals,
  { acceptLoss, signal }: CompareOptions
): Promise<void> {
  const { bootstrap } = log
  onStatus({ state: 'comparing', patience: COMPARE_MS })
  await join(bootstrap)
  await looked(bootstrap, COMPARE_MS, signal)
  await answered(bootstrap, peerCount())
  const peers = bootstrap.peers.length
  if (peers === 0) return
  // the first block names the data cores
  if (bootstrap.length === 0) await fill('bootstrap', bootstrap, { lost: [], acceptLoss })
  if (bootstrap.length === 0 || !(await bootstrap.has(0))) return
  await learnLosses(log)
  const lost = await log.readLost()
  // the journal last: whoever is killed here finds blocks without a record, and looks again
  const cores = await log.countCores()
  for (let first = 0; first < cores; first += CORES_AT_ONCE) {
    const some = Array.from({ length: Math.min(CORES_AT_ONCE, cores - first) }, (_, index) => first + index)
    await Promise.all(
      some.map(async (index) => {
        const core = await log.openCore(index)
        await answered(core, peers)
        await fill(`core ${index}`, core, { lost: lost.cores.get(index) ?? [], acceptLoss })
      })
    )
  }
  await fill('bootstrap', bootstrap, { lost: lost.journal, acceptLoss })
}

/** Gets the newest record and the loss that it names, so that nobody waits for what is known to be lost. */
async function learnLosses(log: ComparedLog): Promise<void> {
  const { bootstrap } = log
  if (bootstrap.length >= longest(bootstrap)) return
  // a writer's own core does not grow by itself
  const growing = bootstrap.update({ force: true, wait: true }).catch(ignore)
  await Promise.race([growing, setTimeout(PROOF_MS, undefined, { ref: false })])
  await bootstrap.get(bootstrap.length - 1, { timeout: ANSWER_MS }).catch(ignore)
  const loss = await log.readLoss()
  if (loss !== null) await bootstrap.get(loss, { timeout: ANSWER_MS }).catch(ignore)
}

/** Waits until so many peers have said how long this core is that they hold, but not for long: not all hold all. */
async function answered(core: Hypercore, peers: number): Promise<void> {
  const end = performance.now() + ANSWER_MS
  while (performance.now() < end) {
    if (core.peers.filter((peer) => peer.remoteSynced).length >= peers) return
    await setTimeout(POLL_MS)
  }
}

interface FillOptions {
  /** Blocks that nobody need have. */
  readonly lost: readonly LostRange[]
  readonly acceptLoss: boolean
}

/** Makes the core as long as the longest that is connected, with all its blocks, or with `acceptLoss` those that come. */
async function fill(name: string, core: Hypercore, { lost, acceptLoss }: FillOptions): Promise<void> {
  const absent = (): Promise<number> => firstAbsent(core, lost)
  const isWhole = async (): Promise<boolean> =>
    core.length >= longest(core) && (await absent()) === core.length
  if (await isWhole()) return
  let came = 0
  const count = (): void => void came++
  const progress = (): string => `${core.length} ${came}`
  let last = ''
  let since = performance.now()
  core.on('download', count)
  const download = core.download({ start: 0, end: -1 })
  try {
    // a writer's own core does not grow by itself
    core.update({ force: true, wait: true }).catch(ignore)
    while (!(await isWhole())) {
      if (core.closing !== null) throw new NodeError('CLOSED', 'it was closed meanwhile')
      if (progress() !== last) since = performance.now()
      last = progress()
      const waited = performance.now() - since
      const index = await absent()
      if (waited > PROOF_MS && index === core.length) return
      if (waited > (isOffered(core, index) ? STALL_MS : PROOF_MS)) {
        if (acceptLoss) return
        throw stalled(name, index, core.length)
      }
      await setTimeout(POLL_MS)
    }
  } catch (error) {
    throw translate(error)
  } finally {
    core.off('download', count)
    download.destroy()
  }
}

/** Whether anybody who is connected says to have this block. */
function isOffered({ peers, fork }: Hypercore, index: number): boolean {
  return peers.some(
    (peer) =>
      peer.remoteFork === fork && (index < peer.remoteContiguousLength || peer.remoteBitfield.get(index))
  )
}

function longest({ peers, fork }: Hypercore): number {
  return Math.max(0, ...peers.filter((peer) => peer.remoteFork === fork).map((peer) => peer.remoteLength))
}

function stalled(name: string, absent: number, length: number): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    `the store has lost the end of ${name}: it has ${length} blocks, of which nobody who is connected sends block ${absent}, and ` +
      `appending would rewrite what they have: ${WAYS_OUT}`
  )
}

function ignore(): void {}
