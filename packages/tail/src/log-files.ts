import { ignore } from './errors.ts'
import { type FoundFile, type Listing, listAll, signatureOf, statFile, tagOf } from './listing.ts'
import { HEAD_BYTES } from './mark.ts'
import {
  hasOnly,
  isBeginningOf,
  isCopyOf,
  type Opened,
  openAfter,
  openContent,
  Renamed,
  Unreadable
} from './match.ts'
import { type Names, packingOf } from './names.ts'
import { canUnpack } from './packed.ts'
import { MAX_OTHERS, type PastFile, type Place, type StoredFile } from './place.ts'
import { PlainFile } from './plain.ts'
import { Source } from './source.ts'
import type { OnStatus } from './status.ts'

export interface LogFilesOptions {
  readonly path: string
  readonly names: readonly Names[]
  /** Where an earlier run stopped. */
  readonly place: Place | null
  readonly onStatus: OnStatus
}

/** This many files are watched for what is still added to them. */
export const MAX_SOURCES = 8

/** So many files that are read can be recognised in packed files. */
const MAX_PAST = 4

/** A packed file that is incomplete for this long will not be completed. */
const BROKEN_MS = 10_000

/** A directory that was changed twice within this time may have the same time of change. */
const DIRECTORY_TIME_MS = 3000

/** The files that are or were the log: which, in which order, and how far each is read. */
export class LogFiles {
  /** Oldest first. The last one is the log, unless it was renamed and there is no new one yet. */
  readonly sources: Source[] = []
  readonly #options: LogFilesOptions
  /** The files of an earlier run that have not been found again yet. */
  #stored: readonly StoredFile[]
  /** Those of which nothing was read, and that have gone: if they were packed, a later file has their content. */
  #unread: StoredFile[] = []
  /** What was read of files that will not grow any more. */
  #past: readonly PastFile[]
  /** The tags of files that are none of the log's as it is followed. */
  #others: ReadonlySet<number>
  /** Whether the tags are those of all others. */
  #knowsOthers: boolean
  /** When the log had been written last, when the tags were taken. */
  #since: bigint
  #signature = ''
  #signedAt = 0
  #isFirstLook = true
  /** The id of a file that was seen cut off, without a copy. */
  #seenCut = ''
  /** A file was cut off, and a look has not succeeded since. */
  #wasCut = false
  /** New files that may be copies of the log which are not complete yet. */
  readonly #undecided = new Map<string, FoundFile>()
  /** Packed files that could not be read, how long they were, and since when. */
  readonly #incomplete = new Map<string, { readonly size: number; readonly since: number }>()

  constructor(options: LogFilesOptions) {
    this.#options = options
    this.#stored = options.place?.files ?? []
    this.#others = new Set(options.place?.others)
    this.#knowsOthers = this.#others.size < MAX_OTHERS
    this.#since = options.place?.since ?? 0n
    this.#past = options.place?.past ?? []
  }

  /** Why the log cannot be read at its path; '' if it is there, null if nothing is. */
  fault: string | null = null

  /** There are more files than may be open at once. Another look, when these are read, adds the next ones. */
  hasMore = false

  /** The source that has to wait for these. */
  held: Source | null = null

  /** The place at the marks of the sources. */
  get place(): Place {
    const files = this.sources.map((source) => source.store())
    return { files, past: this.#past, since: this.#since, others: [...this.#others] }
  }

  /**
   * Looks at what has happened to the files, and adds those that became the log since. To be called when the sources are read as far as
   * possible. Returns whether they have changed.
   *
   * @throws Unreadable for a file that has to be read first; a later look may succeed.
   */
  async look(): Promise<boolean> {
    const { path, names, place } = this.#options
    const listing = await listAll(path, names)
    const before = [...this.sources]
    this.#undecided.clear()
    const newest = this.#stored.at(-1)?.id ?? before.at(-1)?.file.id
    await this.#findStored(listing)
    this.#rename(listing)
    if (this.#isClockBack(listing)) this.#forgetOriginalTimes()
    // of a file that was cut off since it was read, the listing may have a copy already, which is none of the later files
    for (const source of this.sources) await source.checkCut()
    await this.#reopen(listing)
    await this.#replaceCut(listing)
    const { current } = listing
    this.fault = current === null ? listing.fault || null : ''
    const isStart = this.#isFirstLook && place === null
    // nothing tells whether a file of which nothing was read has been cut off between two looks
    const mayBeCut = !isStart && current?.id === newest && this.sources.at(-1)?.mark.offset === 0
    if (this.#wasCut || mayBeCut || current?.id !== newest) {
      const last = this.sources.at(-1) ?? null
      const isCut = (this.#wasCut || mayBeCut) && last?.file.id === current?.id
      const [next] = isStart ? [] : await this.#addLater(listing, isCut)
      this.hasMore = next !== undefined
      this.#isFirstLook &&= !this.hasMore
      const isLater =
        last?.mark.offset === 0 && next !== undefined && (isCut || compareTimes(next, last.file) < 0)
      this.held = isLater ? last : null
      if (this.hasMore) return before.length !== this.sources.length
      await this.#addCurrent(current)
    }
    for (const stored of this.#unread.splice(0)) this.#lose('gone', stored)
    if (current === null ? isStart : this.sources.at(-1)?.file.id === current.id) this.#remember(listing)
    this.#isFirstLook = false
    this.#wasCut = false
    return (
      before.length !== this.sources.length || before.some((source, index) => source !== this.sources[index])
    )
  }

  /** Whether the names may have changed. Directories have times of up to 2 s: it has to be the same for longer than that. */
  async isStale(): Promise<boolean> {
    const { path, names } = this.#options
    const signature = await signatureOf(path, names)
    if (signature !== this.#signature) this.#signedAt = performance.now()
    this.#signature = signature
    return performance.now() - this.#signedAt < DIRECTORY_TIME_MS
  }

  /** Forgets sources that will not grow any more. */
  async prune(graceMs: number): Promise<void> {
    const isOver = async (source: Source, index: number): Promise<boolean> => {
      const mayGrow = index === this.sources.length - 1 || !source.isDrained || !source.isReleased
      if (mayGrow || source.isCut || source.fault !== null) return false
      if (source.isSettled) return true
      const stats = await source.content.stat()
      if (stats === null || stats.size > source.mark.offset) return false
      if (index < this.sources.length - MAX_SOURCES) return true
      return stats.isGone && performance.now() - source.quietSince >= graceMs
    }
    const over: Source[] = []
    for (const [index, source] of this.sources.entries()) if (await isOver(source, index)) over.push(source)
    for (const source of over) await this.forget(source)
  }

  /** Lets go of a source that is read. Its mark is kept: it may be packed later. */
  async forget(source: Source): Promise<void> {
    this.sources.splice(this.sources.indexOf(source), 1)
    this.#addPast(source.store())
    // first: a place has only some
    this.#others = new Set([tagOf(source.file), ...this.#others])
    await source.content.close().catch(ignore)
  }

  async close(): Promise<void> {
    for (const { content } of this.sources) await content.close().catch(ignore)
  }

  #addPast({ offset, crc, head, tail, written, writtenFrom }: PastFile): void {
    if (offset > 0)
      this.#past = [...this.#past, { offset, crc, head, tail, written, writtenFrom }].slice(-MAX_PAST)
  }

  /** Opens the files of the earlier run, wherever they are now. */
  async #findStored(listing: Listing): Promise<void> {
    while (this.#stored[0] !== undefined) {
      const [stored, ...rest] = this.#stored
      const source = await this.#find(stored, listing, rest.length === 0)
      this.#stored = rest
      if (source === null) continue
      this.sources.push(source)
      const { file, mark } = source
      if (rest.length === 0 || file.size > mark.offset)
        this.#options.onStatus({ state: 'reading', path: file.path, offset: mark.offset })
    }
  }

  async #find(stored: StoredFile, listing: Listing, isNewest: boolean): Promise<Source | null> {
    const file = await this.#byId(stored, listing)
    const packing = file && packingOf(file.path)
    if (file !== null && packing === null) {
      const content = await openContent(file)
      if (content instanceof PlainFile) return await this.#resume(file, content, stored, listing)
    }
    if (file !== null) {
      const opened = await openAfter(file, stored)
      if (opened !== null)
        return new Source(file, opened.content, { mark: opened.mark, isSettled: true, joins: stored.joins })
    }
    if (stored.offset === 0) {
      if (isNewest || stored.size > 0) this.#unread.push(stored)
      return null
    }
    const found = await this.#findCopy(stored, listing, isNewest)
    if (found !== null) {
      const isCurrent = found.file.id === listing.current?.id
      return new Source(found.file, found.content, {
        mark: found.mark,
        isSettled: !isCurrent,
        joins: stored.joins
      })
    }
    if (isNewest || stored.size > stored.offset) this.#lose('gone', stored)
    else this.#addPast(stored)
    return null
  }

  /** A file with the id of `stored`, which may have been cut off or be another one. */
  async #resume(file: FoundFile, content: PlainFile, stored: StoredFile, listing: Listing): Promise<Source> {
    try {
      const { joins, writtenFrom } = stored
      const mark = await content.resume(stored)
      const source = new Source(file, content, {
        joins,
        isSettled: joins,
        ...(joins && { writtenFrom }),
        ...(mark && { mark })
      })
      return mark === null ? await this.#cut(source, stored, listing) : source
    } catch (error) {
      await content.close()
      throw error
    }
  }

  /** The file with the id of `stored`, also where a link has led to another file since. */
  async #byId({ id, path }: StoredFile, { current, others }: Listing): Promise<FoundFile | null> {
    const found = [current, ...others].find((file) => file?.id === id)
    if (found) return found
    const file = path === '' ? null : await statFile(path).catch(() => null)
    return file?.id === id ? file : null
  }

  #rename({ current, others }: Listing): void {
    for (const found of [current, ...others]) {
      if (found) this.sources.find((source) => source.has(found))?.see(found)
    }
  }

  /** A source that was cut off or rewritten becomes two: a copy with the rest, if there is one, and what was written after that. */
  async #replaceCut(listing: Listing): Promise<void> {
    for (const source of this.sources.filter(({ isCut }) => isCut)) {
      const { file, content } = source
      const again = await this.#cut(source, source.store(), listing, source)
      // the copy, if there is one, was added before it
      this.sources.splice(this.sources.indexOf(source), 1, again)
      this.#options.onStatus({ state: 'reading', path: file.path, offset: 0 })
      if (again.content !== content) await content.close()
    }
  }

  /** Opens again the sources that could not be read; those that are gone are lost. */
  async #reopen(listing: Listing): Promise<void> {
    for (const source of this.sources.filter(({ fault }) => fault !== null)) {
      const { file } = source
      const fault = source.fault ?? ''
      const again = await this.#unlessBroken(file, async () => {
        // more of it may have been written since
        if (packingOf(file.path) !== null && !this.#hasGrown(file)) throw new Unreadable(file.path, fault)
        return await this.#find(source.store(), listing, source === this.sources.at(-1))
      })
      this.sources.splice(this.sources.indexOf(source), 1, ...(again === null ? [] : [again]))
    }
  }

  /** What was written to a file after it was cut off. A copy with the rest of `stored` is added to the sources, before it. */
  async #cut(
    { file, content }: Source,
    stored: StoredFile,
    listing: Listing,
    continues?: Source
  ): Promise<Source> {
    const copy = stored.offset > 0 ? await this.#findCopy(stored, listing, false) : null
    this.#wasCut = true
    if (copy === null && this.#seenCut !== file.id) {
      // it may have been copied after it was listed
      this.#seenCut = file.id
      throw new Renamed(file.path)
    }
    this.#seenCut = ''
    const at = this.sources.findIndex((source) => source.file.id === file.id)
    if (copy === null) this.#lose('cut', { ...stored, path: file.path })
    else {
      const source = new Source(copy.file, copy.content, {
        mark: copy.mark,
        isSettled: true,
        joins: true,
        writtenFrom: stored.writtenFrom,
        ...(continues && { continues })
      })
      this.sources.splice(at === -1 ? this.sources.length : at, 0, source)
      this.#options.onStatus({ state: 'reading', path: copy.file.path, offset: copy.mark.offset })
    }
    return new Source({ ...file, size: 0 }, content)
  }

  /** A file that begins with everything before `stored`. */
  async #findCopy(
    stored: StoredFile,
    { current, others }: Listing,
    withCurrent: boolean
  ): Promise<(Opened & { readonly file: FoundFile }) | null> {
    const candidates = others
      .filter((file) => file.id !== stored.id && !this.#isSource(file))
      // of the new ones, the first is what the file had; of the others, the last
      .sort(
        (a, b) =>
          Number(this.#isOther(a)) - Number(this.#isOther(b)) ||
          compareTimes(a, b) * (this.#isOther(a) ? -1 : 1)
      )
    if (withCurrent && current !== null) candidates.push(current)
    for (const file of candidates) {
      const opened = await this.#unlessBroken(file, () => openAfter(file, stored))
      if (opened) return { ...opened, file }
    }
    return null
  }

  /** Adds the files that have been the log between the newest source and the file that is the log now. Returns those that have to wait. */
  async #addLater(listing: Listing, isCut: boolean): Promise<readonly FoundFile[]> {
    const later = this.#later(listing)
    const unread = this.sources.filter(({ content, file, mark, isDrained }) => {
      const isRead = isDrained || (!content.isPacked && file.size <= mark.offset)
      return !isRead && file.id !== this.held?.file.id
    })
    const next = later.slice(0, Math.max(0, MAX_SOURCES - unread.length))
    for (const file of next) {
      const source = await this.#openLater(file, listing, isCut)
      if (source === null) {
        if (!this.#undecided.has(file.id)) this.#others = new Set([tagOf(file), ...this.#others])
        continue
      }
      // a plain one would have its id
      if (packingOf(file.path) !== null) this.#unread.shift()
      this.sources.splice(this.#positionOf(file, isCut), 0, source)
      this.#options.onStatus({ state: 'reading', path: file.path, offset: 0 })
    }
    const rest = later.slice(next.length)
    if (rest.length > 0) this.#since = next.at(-1)?.written ?? this.#since
    return rest
  }

  /**
   * Where a file belongs that became the log later: at the end, but before those of which nothing is read, if they were written after it.
   * Such a file may have been cut off, and this is what it had.
   */
  #positionOf(file: FoundFile, isCut: boolean): number {
    const { sources } = this
    const isBefore = (source: Source, index: number): boolean =>
      (isCut && index === sources.length - 1) || compareTimes(file, source.file) < 0
    let position = sources.length
    for (; position > 0; position--) {
      const source = sources[position - 1]
      if (source === undefined || source.mark.offset > 0 || !isBefore(source, position - 1)) break
    }
    return position
  }

  #later(listing: Listing): FoundFile[] {
    const isClockBack = this.#isClockBack(listing)
    return listing.others
      .filter(
        (file) => !this.#isSource(file) && !this.#isOther(file) && (isClockBack || !this.#isBefore(file))
      )
      .sort(compareTimes)
  }

  /** Whether a file had been written before the last look at the names. */
  #isBefore(file: FoundFile): boolean {
    // of too many others, the oldest are known by their times alone, which can be that of the log
    const last = this.#knowsOthers ? this.#since - 1n : this.#since
    // a packed file may have the second of its original
    return file.written <= (packingOf(file.path) === null ? last : last - (last % 1_000_000_000n) - 1n)
  }

  /** Whether the clock was ahead at the last look: then only the tags tell which files are new. */
  #isClockBack({ current }: Listing): boolean {
    const newest = [current, this.sources.at(-1)?.file]
    return this.#knowsOthers && newest.some((file) => file && this.#isBefore(file))
  }

  /** A new file can now have a time between those of an original and its copy. */
  #forgetOriginalTimes(): void {
    this.#past = this.#past.map((past) => ({ ...past, writtenFrom: past.written }))
    for (const source of this.sources) source.writtenFrom = null
  }

  async #openLater(file: FoundFile, { current, others }: Listing, isCut: boolean): Promise<Source | null> {
    const packing = packingOf(file.path)
    if (packing !== null) {
      const original = file.path.slice(0, file.path.lastIndexOf('.'))
      // it is being packed; the original is read, if it does not go first
      if (others.some(({ path }) => path === original)) {
        this.#undecided.set(file.id, file)
        return null
      }
      if (!canUnpack(packing)) {
        if (!this.sources.some((source) => isSameTime(file.written, source.file.written)))
          this.#lose('packed', wholeOf(file))
        return null
      }
    }
    const isKnown = await this.#unlessBroken(file, () => this.#isKnown(file))
    if (isKnown !== false) return null
    if (packing === null && (await this.#isIncomplete(file, current))) {
      this.#undecided.set(file.id, file)
      return null
    }
    const content = await openContent(file)
    return (
      content &&
      new Source(file, content, {
        isSettled: packing !== null || isCut,
        joins: isCut,
        ...(isCut && { writtenFrom: this.#since })
      })
    )
  }

  /** Whether `file` is a copy of what was read. A plain one only of a source that is gone: others can begin with the same lines. */
  async #isKnown(file: FoundFile): Promise<boolean> {
    for (const past of this.#past)
      if (mayBeCopy(file, past.offset, past) && (await hasOnly(file, past))) return true
    const isPacked = packingOf(file.path) !== null
    for (const source of this.sources) {
      const stats = source.fault === null ? await source.content.stat() : null
      if (stats === null || !(isPacked || stats.isGone)) continue
      // the look that follows finds that it was cut off
      if (stats.size < source.mark.offset) throw new Renamed(source.file.path)
      const { size, written } = stats
      const times = { written, writtenFrom: source.writtenFrom ?? written }
      if (!mayBeCopy(file, size, times) || !(await isCopyOf(file, source))) continue
      source.copy = file
      return true
    }
    return false
  }

  /** Whether a file may be a copy of the log that is not complete yet: it is younger, and has nothing else than the log begins with. */
  async #isIncomplete(file: FoundFile, current: FoundFile | null): Promise<boolean> {
    if (current === null || file.size > current.size || isOlder(file, current)) return false
    return file.size === 0 || (await isBeginningOf(file, current))
  }

  /** Adds the file at the path. One that begins with everything that a deleted newest file had has replaced it: it goes on there. */
  async #addCurrent(current: FoundFile | null): Promise<void> {
    if (current === null) return
    const known = this.sources.find(({ file }) => file.id === current.id)
    if (known !== undefined) {
      // a rotation was undone
      this.sources.push(...this.sources.splice(this.sources.indexOf(known), 1))
      return
    }
    const newest = this.sources.at(-1)
    const mayBeReplaced =
      newest !== undefined && newest.mark.offset > 0 && newest.fault === null && newest.copy === null
    const isReplaced = mayBeReplaced && (await newest.content.stat())?.isGone === true
    const opened = isReplaced ? await openAfter(current, newest.store()) : null
    const content = opened?.content ?? (await openContent(current))
    if (content === null) return
    if (opened !== null && newest !== undefined) await this.forget(newest)
    this.sources.push(new Source(current, content, { ...(opened && { mark: opened.mark }) }))
    this.#options.onStatus({ state: 'reading', path: current.path, offset: opened?.mark.offset ?? 0 })
  }

  /** While the log is at its path and whole, everything else there is none of it. */
  #remember({ current, others }: Listing): void {
    const newestFirst = others
      .filter((file) => !this.#isSource(file) && !this.#undecided.has(file.id))
      .sort((a, b) => compareTimes(b, a))
    this.#others = new Set(newestFirst.map(tagOf))
    this.#knowsOthers = true
    this.#since = current?.written ?? 0n
    for (const { written } of this.#undecided.values()) if (written < this.#since) this.#since = written
  }

  /** Null for a packed file that stays incomplete or is damaged, which is reported once. */
  async #unlessBroken<T>(file: FoundFile, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      if (this.#isOther(file)) return null
      if (packingOf(file.path) === null) throw error
      const seen = this.#incomplete.get(file.id)
      const since = seen?.size === file.size ? seen.since : performance.now()
      this.#incomplete.set(file.id, { size: file.size, since })
      if (performance.now() - since < BROKEN_MS) throw error
      this.#others = new Set([...this.#others, tagOf(file)])
      this.#lose('damaged', wholeOf(file))
      return null
    }
  }

  #hasGrown({ id, size }: FoundFile): boolean {
    const seen = this.#incomplete.get(id)
    return seen !== undefined && seen.size !== size
  }

  #isSource(file: FoundFile): boolean {
    return this.sources.some((source) => source.has(file))
  }

  #isOther(file: FoundFile): boolean {
    return this.#others.has(tagOf(file))
  }

  #lose(
    reason: 'gone' | 'cut' | 'packed' | 'damaged',
    { path, offset, size }: Pick<StoredFile, 'path' | 'offset' | 'size'>
  ): void {
    const lost = Math.max(0, size - offset)
    this.#options.onStatus({ state: 'lost', path: path || this.#options.path, offset, bytes: lost, reason })
  }
}

function wholeOf({ path, size }: FoundFile): Pick<StoredFile, 'path' | 'offset' | 'size'> {
  return { path, offset: 0, size }
}

/** Negative if `a` was the log before `b`: it was written before it or, in one tick of the clock, renamed before it. */
function compareTimes(a: FoundFile, b: FoundFile): number {
  return Number(a.written - b.written) || Number(a.changed - b.changed)
}

/** Whether `a` was made before `b`; false where the file system has no time of birth. */
function isOlder(a: FoundFile, b: FoundFile): boolean {
  const [first, second] = [a, b].map(({ id }) => BigInt(id.slice(id.indexOf(':') + 1)))
  return first !== undefined && second !== undefined && first > 0n && first < second
}

/** Whether a file with the same content is a copy: short ones, such as a banner alone, also have to have one of its times. */
function mayBeCopy(
  file: FoundFile,
  size: number,
  { written, writtenFrom }: Pick<PastFile, 'written' | 'writtenFrom'>
): boolean {
  if (size >= HEAD_BYTES || isSameTime(file.written, written) || isSameTime(file.written, writtenFrom))
    return true
  return writtenFrom < file.written && file.written < written
}

/** The resolutions in which programs keep a time, in ns. */
const RESOLUTIONS = [1_000n, 1_000_000n, 1_000_000_000n]

/** Whether `copy` is the time `original`, cut off or rounded: compressors keep it. */
function isSameTime(copy: bigint, original: bigint): boolean {
  const difference = copy - original
  if (difference > -10_000n && difference < 10_000n) return true
  return RESOLUTIONS.some((unit) => copy === original - (original % unit))
}
