import { type FileId, isSameFile, isSameListing, type ListedFile, laterFiles, listFiles } from './listing.ts'
import type { Place } from './place.ts'
import { SourceFile } from './source-file.ts'

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
    const again = await listFiles(path)
    if (isSameListing(listing, again)) return null
    listing = again
  }
}

/** Opens the file that follows `file`; null as long as all of the later ones are empty: this one may still be written to. */
export async function openLater(path: string, file: SourceFile): Promise<SourceFile | null> {
  while (true) {
    const [next, ...rest] = laterFiles(path, await listFiles(path), file)
    if (next === undefined || ![next, ...rest].some(({ size }) => size > 0)) return null
    const opened = await SourceFile.open(next.path)
    // what was read of a copy that is still being made stands in its original, too
    if (opened?.isOlder(file) === true) await opened.resume(file.place)
    await opened?.prefetch()
    // as above; and what is read of it must be from before the next rotation by copying
    const [still] = laterFiles(path, await listFiles(path), file)
    if (opened !== null && still !== undefined && isSameFile(opened, still)) return opened
    await opened?.close()
  }
}

/** Whether lines have been written to a file that was begun after `file`. */
export async function hasLater(path: string, file: FileId): Promise<boolean> {
  return laterFiles(path, await listFiles(path), file).some(({ size }) => size > 0)
}

/** The very file, then one with its inode (device numbers change when the machine starts), then what may be a copy, newest first. */
function bestFirst(listing: readonly ListedFile[], place: Place): ListedFile[] {
  const rank = (file: ListedFile): number => {
    if (isSameFile(file, place)) return 0
    return file.ino === place.ino ? 1 : 2
  }
  return listing
    .filter(({ size }) => size >= place.offset)
    .sort((a, b) => rank(a) - rank(b) || b.born - a.born)
}
