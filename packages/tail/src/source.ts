import type { Content } from './content.ts'
import type { FoundFile } from './listing.ts'
import { advance, type Mark, START, storeMark } from './mark.ts'
import type { StoredFile } from './place.ts'

export interface SourceOptions {
  readonly mark?: Mark
  /** It is complete: nothing will be added. */
  readonly isSettled?: boolean
  /** Its last line continues in the next file. */
  readonly joins?: boolean
  /** The source whose rest it has. */
  readonly continues?: Source
  /** Of a copy: when the original had been written last, before it was cut off. */
  readonly writtenFrom?: bigint
}

/** A file that is or was the log, read up to a mark. */
export class Source {
  file: FoundFile
  content: Content
  mark: Mark
  isSettled: boolean
  joins: boolean
  readonly continues: Source | null
  /** As in `SourceOptions`; null if that is not known, or it is no copy. */
  writtenFrom: bigint | null
  /** When it grew last, or its successor appeared, by `performance.now()`. */
  quietSince: number
  /** The next file may be read: this one has been quiet for the grace time. */
  isReleased = false
  /** It no longer has what was read of it. */
  isCut = false
  /** Another file that has its content: it was packed, or copied, and deleted. */
  copy: FoundFile | null = null
  /** Why it could not be read; then its content is closed. */
  fault: string | null = null
  /** Nothing was after the mark at the last look; less than a line may have been. */
  isDrained = false

  constructor(
    file: FoundFile,
    content: Content,
    { mark = START, isSettled = false, joins = false, continues, writtenFrom }: SourceOptions = {}
  ) {
    this.file = file
    this.content = content
    this.mark = mark
    this.isSettled = isSettled
    this.joins = joins
    this.continues = continues ?? null
    this.writtenFrom = writtenFrom ?? null
    this.quietSince = performance.now() - Math.max(0, Date.now() - Number(file.written / 1_000_000n))
  }

  /** What follows the mark, up to a chunk; null if there is nothing, or the file was cut. */
  async peek(): Promise<Uint8Array | null> {
    // it stays so until a look has replaced it
    const bytes = this.isCut ? 'cut' : await this.content.peek(this.mark)
    this.isCut = bytes === 'cut'
    const found = bytes === 'cut' ? null : bytes
    if (found !== null && !this.content.isPacked) this.#grow(this.mark.offset + found.byteLength)
    this.isDrained = found === null
    return found
  }

  /** Finds out whether it still has what was read of it. What follows is not touched: `isDrained` stays. */
  async checkCut(): Promise<void> {
    if (!this.content.isPacked && this.fault === null)
      this.isCut ||= (await this.content.peek(this.mark)) === 'cut'
  }

  has({ id }: Pick<FoundFile, 'id'>): boolean {
    return this.file.id === id || this.copy?.id === id
  }

  /** Takes over what a listing says: the file may have another name by now. */
  see(found: FoundFile): void {
    if (this.copy?.id === found.id) {
      this.copy = found
      return
    }
    const { size } = this.file
    this.file = { ...found, size: Math.max(size, found.size) }
    if (found.size > size) this.quietSince = performance.now()
  }

  /** Moves on by `bytes`, the first that `peek` returned. */
  take(bytes: Uint8Array): void {
    this.mark = advance(this.mark, bytes)
  }

  store(mark: Mark = this.mark): StoredFile {
    // after a restart, only the copy is there
    const { id, path } = this.copy ?? this.file
    const { size } = this.file
    const written = this.content.written ?? this.file.written
    const writtenFrom = this.writtenFrom ?? written
    return { id, path, size, written, writtenFrom, joins: this.joins, ...storeMark(mark) }
  }

  #grow(size: number): void {
    if (size <= this.file.size) return
    this.file = { ...this.file, size }
    this.quietSince = performance.now()
  }
}
