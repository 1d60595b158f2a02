import { type CoreExtent, encodeJournalRecord } from '@many-cores/protocol'
import type { Atom } from 'corestore'
import type Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'
import { type Extent, writeExtent } from '../recovery/extent.ts'
import type { StoredLog, Tail } from '../recovery/tail.ts'
import { writeCheckpoints } from './checkpoints.ts'
import type { PendingBatch } from './queue.ts'

/**
 * The one path by which anything is appended to a log: what is appended beside an open atom is overwritten by its flush.
 *
 * The atom and its sessions stay for the life of the writer (hypercore 11.37: an atom's state goes on after its flush);
 * opening them for each batch would double the time of a small one. After a failed flush they hold what the store does
 * not: the appender is then useless, and its writer must be opened anew.
 */
export class Appender {
  readonly #atom: Atom
  readonly #bootstrap: Hypercore
  readonly #openCore: StoredLog['openCore']
  readonly #sessions = new Map<number, Promise<Hypercore>>()
  #journal: Promise<Hypercore> | null = null
  #extent: Extent
  /** Of each data core, by what was appended. */
  readonly #lengths: number[]

  constructor({ store, bootstrap, openCore }: StoredLog, { journal, blocks, lengths }: Tail) {
    this.#atom = store.storage.createAtom()
    this.#bootstrap = bootstrap
    this.#openCore = openCore
    this.#extent = { journal, blocks }
    this.#lengths = [...lengths]
  }

  /** How long the journal is, by what was appended. */
  get journalLength(): number {
    return this.#extent.journal
  }

  /**
   * Appends the batch's blocks and its journal record, and stores its checkpoints, as one atom: on the disk when it resolves, or
   * nothing of it is there. A batch without lines stores checkpoints alone.
   */
  async append(batch: PendingBatch, time: number): Promise<void> {
    const packed = batch.pack()
    const sessions = await Promise.all(packed.map(([core]) => this.#dataSession(core)))
    this.#journal ??= this.#session(this.#bootstrap)
    const journal = await this.#journal
    if (journal.length !== this.#extent.journal) throw overtaken(journal.length - this.#extent.journal)
    const at = packed.map(([core, blocks], slot): CoreExtent => {
      const length = this.#lengths[core] ?? 0
      const more = (sessions[slot]?.length ?? 0) - length
      if (more !== 0) throw overtaken(more)
      return [core, length, blocks.length]
    })
    // side by side: each append reads from the disk before it writes to the atom
    const appends = sessions.map((session, slot) => session.append(packed[slot]?.[1] ?? []))
    const { seq, order, lines } = batch
    if (lines > 0) appends.push(journal.append(encodeJournalRecord({ seq, time, at, order })))
    await Promise.all(appends)
    const added = at.reduce((sum, [, , blocks]) => sum + blocks, 0)
    const extent = { journal: journal.length, blocks: this.#extent.blocks + added }
    // hypercore 11.37: user data of an atom's session goes into the atom's view, like its blocks
    await writeCheckpoints(journal, batch.checkpoints())
    if (lines > 0) await writeExtent(journal, extent)
    await this.#atom.flush()
    this.#extent = extent
    for (const [core, length, blocks] of at) this.#lengths[core] = length + blocks
  }

  async close(): Promise<void> {
    const sessions = [...this.#sessions.values(), ...(this.#journal === null ? [] : [this.#journal])]
    // one that did not open has nothing to close
    const opened = (await Promise.allSettled(sessions)).filter((session) => session.status === 'fulfilled')
    await Promise.all(opened.map((session) => session.value.close()))
  }

  #dataSession(core: number): Promise<Hypercore> {
    let session = this.#sessions.get(core)
    if (session === undefined) {
      session = this.#openCore(core).then((opened) => this.#session(opened))
      this.#sessions.set(core, session)
    }
    return session
  }

  async #session(core: Hypercore): Promise<Hypercore> {
    const session = core.session({ atom: this.#atom })
    await session.ready()
    return session
  }
}

function overtaken(blocks: number): NodeError {
  return new NodeError(
    'STORE_REFUSED',
    `a peer brought ${blocks} records or blocks that this store did not have: start the writer again, and it goes on behind them`
  )
}
