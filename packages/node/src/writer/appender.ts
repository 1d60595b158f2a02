import { type CoreExtent, encodeJournalRecord } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type { Atom } from 'corestore'
import type Hypercore from 'hypercore'
import { type Checkpoints, writeCheckpoints } from './checkpoints.ts'
import type { PackedBatch } from './packer.ts'

/** Opens the data core with this index. */
export type OpenCore = (index: number) => Promise<Hypercore>

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
  readonly #openCore: OpenCore
  readonly #sessions = new Map<number, Promise<Hypercore>>()
  #journal: Promise<Hypercore> | null = null

  constructor(store: Corestore, bootstrap: Hypercore, openCore: OpenCore) {
    this.#atom = store.storage.createAtom()
    this.#bootstrap = bootstrap
    this.#openCore = openCore
  }

  /**
   * Appends the batch's blocks and its journal record, and stores `checkpoints`, as one atom: durable when it resolves, or
   * nothing of it is there. A batch without lines stores checkpoints alone.
   */
  async append(batch: PackedBatch, time: number, checkpoints: Checkpoints): Promise<void> {
    const cores = [...batch.blocks.keys()].sort((a, b) => a - b)
    const at = await Promise.all(cores.map((core) => this.#appendBlocks(core, batch.blocks.get(core) ?? [])))
    this.#journal ??= this.#session(this.#bootstrap)
    const journal = await this.#journal
    if (batch.lines > 0) {
      await journal.append(encodeJournalRecord({ seq: batch.seq, time, at, order: batch.order }))
    }
    // hypercore 11.37: user data of an atom's session goes into the atom's view, like its blocks
    await writeCheckpoints(journal, checkpoints)
    await this.#atom.flush()
  }

  async close(): Promise<void> {
    const sessions = [...this.#sessions.values(), ...(this.#journal === null ? [] : [this.#journal])]
    // one that did not open has nothing to close
    const opened = (await Promise.allSettled(sessions)).filter((session) => session.status === 'fulfilled')
    await Promise.all(opened.map((session) => session.value.close()))
  }

  async #appendBlocks(core: number, blocks: readonly Uint8Array[]): Promise<CoreExtent> {
    let session = this.#sessions.get(core)
    if (session === undefined) {
      session = this.#openCore(core).then((opened) => this.#session(opened))
      this.#sessions.set(core, session)
    }
    const { length } = await (await session).append(blocks)
    return [core, length - blocks.length, blocks.length]
  }

  async #session(core: Hypercore): Promise<Hypercore> {
    const session = core.session({ atom: this.#atom })
    await session.ready()
    return session
  }
}
