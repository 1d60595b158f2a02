import { setTimeout } from 'node:timers/promises'
import {
  type FileId,
  isNext,
  isSameFile,
  isSameListing,
  type ListedFile,
  type Listing,
  laterFiles,
  listFiles,
  nameOf
} from './listing.ts'
import type { Place } from './place.ts'
import { SourceFile } from './source-file.ts'

/** A copy of a file is made after it was last read, give or take so much: a copy takes its time. */
const COPY_SLACK_MS = 10_000

/** Whoever renames a file has renamed all of them by then. */
const SETTLE_MS = 100

/** The file that `place` speaks of, at `path` or at a name that it was rotated to, or a copy of it, opened at that place; null if there is none. */
export async function locate(path: string, place: Place): Promise<SourceFile | null> {
  let listing = await listFiles(path)
  while (true) {
    for (const { path: candidate } of bestFirst(listing, place)) {
      const file = await SourceFile.open(candidate)
      if (file === null) continue
      if (await file.resume(place)) return file
      await file.close()
    }
    // a rotation under our eyes may have moved it from a name that we had not yet looked at to one that we had
    await setTimeout(SETTLE_MS)
    const again = await listFiles(path)
    if (isSameListing(listing, again)) return null
    listing = again
  }
}

/** Opens the file that follows `file`; null as long as all of the later ones are empty: this one may still be written to. */
export async function openLater(path: string, file: SourceFile): Promise<SourceFile | null> {
  for (let doubtful: Listing | null = null; ; ) {
    const listing = await listFiles(path)
    const [next, ...rest] = laterFiles(listing, file)
    if (next === undefined || ![next, ...rest].some(({ size }) => size > 0)) return null
    // what lies between may have been renamed under our eyes; or it is not there, which is so after a while, too
    if (!isNext(listing, file, next) && !(doubtful !== null && isSameListing(doubtful, listing))) {
      doubtful = listing
      await setTimeout(SETTLE_MS)
      continue
    }
    const opened = await SourceFile.open(next.path)
    // what was read of a copy that is still being made stands in its original, too
    if (!file.isOnlyCopy && opened?.isOlder(file) === true) await opened.resume(file.place)
    await opened?.prefetch()
    // whoever still has its name has had it all the time, for names only age, and the next one has had its own: that is what was
    // opened, and nothing of it is from behind the next rotation by copying
    const { files } = await listFiles(path)
    if (opened !== null && nameOf(files, file) === nameOf(listing.files, file)) return opened
    await opened?.close()
  }
}

/** Whether lines have been written to a file that was begun after `file`. */
export async function hasLater(path: string, file: FileId): Promise<boolean> {
  return laterFiles(await listFiles(path), file).some(({ size }) => size > 0)
}

/** The very file, then one with its inode (device numbers change when the machine starts), then what may be a copy, newest first. */
function bestFirst({ path, files }: Listing, place: Place): ListedFile[] {
  const rank = (file: ListedFile): number => {
    if (isSameFile(file, place)) return 0
    return file.ino === place.ino ? 1 : 2
  }
  // of the rotated ones, older files that begin in the same way are not meant; at the path itself inodes may be unstable
  const mayBe = (file: ListedFile): boolean =>
    file.ino === place.ino || file.path === path || file.born > place.time - COPY_SLACK_MS
  return files
    .filter((file) => file.size >= place.offset && mayBe(file))
    .sort((a, b) => rank(a) - rank(b) || b.born - a.born)
}
