import { setTimeout } from 'node:timers/promises'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'

/** How long a writer looks for peers who may hold more than it does; whoever is on this machine is found at once. */
export const COMPARE_MS = 5000

/** Who is connected says within this time how long the cores are that they hold. */
const ANSWER_MS = 1000

/** A peer who holds what was lost here, and sends nothing for so long, does not send it … */
const STALL_MS = 10_000

/** … and one who says that it holds more, and proves nothing for so long, does not. */
const PROOF_MS = 2000

const POLL_MS = 10

/** Data cores that are compared at once. */
const CORES_AT_ONCE = 64

/** The cores of a log, as its writer has them. */
export interface ComparedLog {
  readonly bootstrap: Hypercore
  /** How many data cores block 0 names; asked once it is here. */
  countCores(): Promise<number>
  openCore(index: number): Promise<Hypercore>
}

/**
 * Compares the cores of a log that was not ended cleanly with those of whoever can be reached, and gets back what others hold
 * and this store has lost. Takes at most `COMPARE_MS` where nobody is there.
 *
 * @throws NodeError `STORE_REFUSED` where a peer holds more, and does not send it.
 */
export async function compare(
  log: ComparedLog,
  { join, looked, peerCount, onStatus }: Internals,
  signal: AbortSignal | undefined
): Promise<void> {
  const { bootstrap } = log
  onStatus({ state: 'comparing', patience: COMPARE_MS })
  await join(bootstrap)
  await looked(COMPARE_MS, signal)
  await answered(bootstrap, peerCount())
  const peers = bootstrap.peers.length
  if (peers === 0) return
  // the first block names the data cores
  if (bootstrap.length === 0) await fill('bootstrap', bootstrap)
  if (bootstrap.length === 0) return
  // the journal last: whoever is killed here finds blocks without a record, and looks again
  const cores = await log.countCores()
  for (let first = 0; first < cores; first += CORES_AT_ONCE) {
    const some = Array.from({ length: Math.min(CORES_AT_ONCE, cores - first) }, (_, index) => first + index)
    await Promise.all(some.map((index) => compareData(log, index, peers)))
  }
  await fill('bootstrap', bootstrap)
}

async function compareData(log: ComparedLog, index: number, peers: number): Promise<void> {
  const core = await log.openCore(index)
  await answered(core, peers)
  await fill(`core ${index}`, core)
}

/** Waits until so many peers have said how long this core is that they hold, but not for long: not all hold all. */
async function answered(core: Hypercore, peers: number): Promise<void> {
  const end = performance.now() + ANSWER_MS
  while (performance.now() < end) {
    if (core.peers.filter((peer) => peer.remoteSynced).length >= peers) return
    await setTimeout(POLL_MS)
  }
}

/** Makes the core as long as the longest that is connected, with all its blocks. */
async function fill(name: string, core: Hypercore): Promise<void> {
  const isWhole = (): boolean => core.length >= longest(core) && core.contiguousLength === core.length
  if (isWhole()) return
  const progress = (): string => `${core.length} ${core.contiguousLength}`
  let last = ''
  let since = performance.now()
  const download = core.download({ start: 0, end: -1 })
  try {
    // a writer's own core does not grow by itself
    core.update({ force: true, wait: true }).catch(ignore)
    while (!isWhole()) {
      if (core.closing !== null) throw new NodeError('CLOSED', 'it was closed meanwhile')
      if (progress() !== last) since = performance.now()
      last = progress()
      const waited = performance.now() - since
      if (waited > PROOF_MS && core.contiguousLength === core.length) return
      if (waited > STALL_MS) throw stalled(name, core)
      await setTimeout(POLL_MS)
    }
  } catch (error) {
    throw translate(error)
  } finally {
    download.destroy()
  }
}

function longest({ peers, fork }: Hypercore): number {
  return Math.max(0, ...peers.filter((peer) => peer.remoteFork === fork).map((peer) => peer.remoteLength))
}

function stalled(name: string, core: Hypercore): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    `the store has lost the end of ${name}: it has ${core.contiguousLength} of ${core.length} blocks, and nobody who is connected sends the others; ` +
      'appending would rewrite what they have: start again while a reader that has everything is connected, or use a new --storage for a new log'
  )
}

function ignore(): void {}
