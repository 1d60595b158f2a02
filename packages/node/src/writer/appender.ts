import { type CoreExtent, encodeJournalRecord } from '@many-cores/protocol'
import type { Atom } from 'corestore'
import type Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'
import { type Extent, writeExtent } from '../recovery/extent.ts'
import type { StoredLog, Tail } from '../recovery/tail.ts'
import { writeCheckpoints } from './checkpoint.ts'
import type { PendingBatch } from './queue.ts'

/** The journal's key among the sessions, beside the indexes of data cores. */
const JOURNAL = -1

/**
 * Appends batches to a log. Nothing else may append to it: the flush of an open atom overwrites what was appended beside it.
 *
 * The atom and its sessions live as long as the writer (hypercore 11.37: an atom can be used again after its flush). Opening them for
 * each batch would double the time of a small one. After a failed flush they differ from the store: open a new writer then.
 */
export class Appender {
  readonly #log: StoredLog
  readonly #atom: Atom
  readonly #sessions = new Map<number, Hypercore>()
  #extent: Extent
  /** The length of each data core after the last append. */
  readonly #lengths: number[]

  constructor(log: StoredLog, { journal, blocks, lengths }: Tail) {
    this.#log = log
    this.#atom = log.store.storage.createAtom()
    this.#extent = { journal, blocks }
    this.#lengths = [...lengths]
  }

  /**
   * Appends the blocks of the batch and its journal record, and stores its checkpoints, as one atom: all of it is on disk when this
   * resolves, none of it if it rejects. A batch without lines stores only checkpoints. Resolves to the length of the journal.
   */
  async append(batch: PendingBatch, time: number): Promise<number> {
    const packed = batch.pack()
    const sessions = await Promise.all(packed.map(([core]) => this.#session(core)))
    const journal = await this.#session(JOURNAL)
    if (journal.length !== this.#extent.journal) throw overtaken()
    const at = packed.map(([core, blocks], slot): CoreExtent => {
      const length = this.#lengths[core] ?? 0
      if (sessions[slot]?.length !== length) throw overtaken()
      return [core, length, blocks.length]
    })
    // concurrently: each append reads from the disk before it writes to the atom
    const appends = sessions.map((session, slot) => session.append(packed[slot]?.[1] ?? []))
    const { seq, order, lines } = batch
    if (lines > 0) appends.push(journal.append(encodeJournalRecord({ seq, time, at, order })))
    await Promise.all(appends)
    const added = at.reduce((sum, [, , blocks]) => sum + blocks, 0)
    const extent = { journal: journal.length, blocks: this.#extent.blocks + added }
    // hypercore 11.37 writes user data of an atom's session into the atom
    await writeCheckpoints(journal, batch.checkpoints)
    if (lines > 0) await writeExtent(journal, extent)
    // returns after the fsync: store/wal-sync.ts
    await this.#atom.flush()
    this.#extent = extent
    for (const [core, length, blocks] of at) this.#lengths[core] = length + blocks
    return extent.journal
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()))
  }

  async #session(index: number): Promise<Hypercore> {
    const open = this.#sessions.get(index)
    if (open !== undefined) return open
    const core = index === JOURNAL ? this.#log.bootstrap : await this.#log.openCore(index)
    const session = core.session({ atom: this.#atom })
    this.#sessions.set(index, session)
    await session.ready()
    return session
  }
}

function overtaken(): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    'a peer has sent records or blocks that this writer did not append. Restart the writer to continue after them'
  )
}
