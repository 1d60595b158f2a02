import { open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import { syncDirectory } from './fsync.ts'

/** Stands in the store's directory while its log has no writer, and the last one closed it. */
const MARK = 'WRITER-CLOSED'

/**
 * How the last writer of a store ended. After a clean end the next one waits only briefly for peers that may hold more. What is
 * stored in the database would be lost along with the lines that it tells of, so the mark is a file of its own: it says how long
 * the journal was, is there only when everything before it is on the disk, and goes before anything is appended.
 */
export class CleanEnd {
  readonly #directory: string
  readonly #file: string
  #begun: Promise<void> | null = null
  #mark: string | null = null

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, MARK)
  }

  /** How long the journal of the log with this key was at the last clean end; null where it had none. */
  async journalLength(key: string): Promise<number | null> {
    const [, ofKey, length] = MARK_TEXT.exec(await readFile(this.#file, 'utf8').catch(() => '')) ?? []
    return ofKey === key ? Number(length) : null
  }

  /** From now on the end is not clean, whatever happens. */
  begin(): Promise<void> {
    this.#begun ??= this.#remove()
    return this.#begun
  }

  /** The journal is so long, and fits to all that is stored. */
  note(key: string, journal: number): void {
    this.#mark = `${JSON.stringify({ key, journal })}\n`
  }

  /** What is stored cannot be relied on. */
  doubt(): void {
    this.#mark = null
  }

  /** Marks a clean end. The store is closed, and on the disk. */
  async finish(): Promise<void> {
    if (this.#mark === null) return
    const next = `${this.#file}.next`
    await using file = await open(next, 'w', 0o600)
    await file.writeFile(this.#mark)
    await file.sync()
    await rename(next, this.#file)
    await syncDirectory(this.#directory)
  }

  async #remove(): Promise<void> {
    try {
      await unlink(this.#file)
    } catch (error) {
      if (isMissing(error)) return
      throw error
    }
    await syncDirectory(this.#directory)
  }
}

const MARK_TEXT = /^{"key":"([0-9a-f]{64})","journal":(\d+)}\n$/
