import { open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Stands in the store's directory while its log has no writer, and the last one ended as it should. */
const MARK = 'WRITER-CLOSED'

/**
 * How the last writer of a store ended. Whether it was killed does not matter, but a machine that lost its power may have
 * forgotten what was appended last, and whoever appends again then forks the log. RocksDB does not tell, and what is stored
 * in it would be forgotten along with the rest: so a file of its own says how long the journal was at a clean end. It is
 * there only when everything before it is on the disk, and gone before anything is appended.
 */
export class CleanEnd {
  readonly #directory: string
  readonly #file: string
  /** The key and the journal's length at which nothing can be missing. */
  #trusted: string | null
  #begun: Promise<void> | null = null
  #end: string | null = null

  /** `isNew`: the store was made just now. */
  constructor(directory: string, { isNew }: { readonly isNew: boolean }) {
    this.#directory = directory
    this.#file = join(directory, MARK)
    this.#trusted = isNew ? '' : null
  }

  /** Whether the journal of the log with this key was so long at a clean end, or the store is new. */
  async isTrusted(key: string, journal: number): Promise<boolean> {
    this.#trusted ??= await readFile(this.#file, 'utf8').catch(() => null)
    return this.#trusted === markOf(key, journal) || (this.#trusted === '' && journal === 0)
  }

  /** By how many records the journal is shorter than it was at the last clean end. */
  async missing(key: string, journal: number): Promise<number> {
    await this.isTrusted(key, journal)
    const [, ofKey, had] = MARK_TEXT.exec(this.#trusted ?? '') ?? []
    return ofKey === key ? Math.max(0, Number(had) - journal) : 0
  }

  /** From now on the end is not clean, whatever happens. */
  begin(): Promise<void> {
    this.#begun ??= this.#remove()
    return this.#begun
  }

  /** All that was appended is known, and the journal so long. */
  note(key: string, journal: number): void {
    this.#trusted = markOf(key, journal)
    this.#end = this.#trusted
  }

  /** What is in the store is not to be trusted. */
  doubt(): void {
    this.#trusted = null
    this.#end = null
  }

  /** Marks a clean end. The store is closed. */
  async finish(): Promise<void> {
    if (this.#end === null) return
    await syncAll(join(this.#directory, 'db'))
    const next = `${this.#file}.next`
    await using file = await open(next, 'w', 0o600)
    await file.writeFile(this.#end)
    await file.sync()
    await rename(next, this.#file)
    await sync(this.#directory)
  }

  async #remove(): Promise<void> {
    try {
      await unlink(this.#file)
    } catch (error) {
      if (isMissing(error)) return
      throw error
    }
    await sync(this.#directory)
  }
}

const MARK_TEXT = /^{"key":"([0-9a-f]{64})","journal":(\d+)}\n$/

function markOf(key: string, journal: number): string {
  return `${JSON.stringify({ key, journal })}\n`
}

/** RocksDB leaves what was written last to the system's cache: its files, onto the disk, without those that only tell of it. */
async function syncAll(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (!name.startsWith('LOG')) await sync(join(directory, name))
  await sync(directory)
}

async function sync(path: string): Promise<void> {
  // Windows has no descriptors of directories
  const file = await open(path, 'r').catch(() => null)
  if (file === null) return
  try {
    await file.sync()
  } catch (error) {
    // nor does it sync what was opened for reading
    if (process.platform !== 'win32') throw error
  } finally {
    await file.close()
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
