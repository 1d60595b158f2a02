import { readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '../errors.ts'
import { syncDirectory } from './fsync.ts'

/** A file in the store's directory. It exists while the log has no writer and the last one shut down cleanly. */
const MARK = 'WRITER-CLOSED'

/**
 * Records whether the last writer of a store shut down cleanly. If it did, the next one waits only briefly for peers that may have
 * newer lines. A record in the database could be lost together with the lines that it describes. So it is a file with the length of
 * the journal, written after everything else is on disk and removed before the first append.
 */
export class CleanShutdown {
  readonly #file: string
  #mark: string | null = null

  constructor(directory: string) {
    this.#file = join(directory, MARK)
  }

  /** The length of the journal of the log `key` at its last clean shutdown; null after an unclean one. */
  async journalLength(key: string): Promise<number | null> {
    const [, ofKey, length] = MARK_TEXT.exec(await readFile(this.#file, 'utf8').catch(() => '')) ?? []
    return ofKey === key ? Number(length) : null
  }

  /** Removes the mark: until `writeMark`, every shutdown is unclean. */
  async removeMark(): Promise<void> {
    try {
      await unlink(this.#file)
    } catch (error) {
      if (isMissing(error)) return
      throw error
    }
    await syncDirectory(dirname(this.#file))
  }

  /** Sets what `writeMark` writes. */
  setJournalLength(key: string, journal: number): void {
    this.#mark = `${JSON.stringify({ key, journal })}\n`
  }

  /** After this, `writeMark` writes nothing: the store may differ from what the writer knows. */
  setUnclean(): void {
    this.#mark = null
  }

  /** Marks the shutdown as clean. Call this once the store is closed and on disk. */
  async writeMark(): Promise<void> {
    if (this.#mark === null) return
    const next = `${this.#file}.next`
    await writeFile(next, this.#mark, { mode: 0o600, flush: true })
    await rename(next, this.#file)
    await syncDirectory(dirname(this.#file))
  }
}

const MARK_TEXT = /^{"key":"([0-9a-f]{64})","journal":(\d+)}\n$/
