import { setTimeout } from 'node:timers/promises'
import type { FilePosition } from './file-position.ts'
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
import { SourceFile } from './source-file.ts'

/** Making a copy takes time: it can be up to this much older than the last read of its original. */
const COPY_SLACK_MS = 10_000

/** A rotation renames all its files within this time. */
const SETTLE_MS = 100

/** Opens the file of `position`, or a copy of it, at `path` or a rotated name, and resumes there; null if there is none. */
export async function locate(path: string, position: FilePosition): Promise<SourceFile | null> {
  let listing = await listFiles(path)
  while (true) {
    for (const { path: candidate } of bestFirst(listing, position)) {
      const file = await SourceFile.open(candidate)
      if (file === null) continue
      if (await file.resume(position)) return file
      await file.close()
    }
    // a concurrent rotation may have renamed it to a name that was already tried
    await setTimeout(SETTLE_MS)
    const again = await listFiles(path)
    if (isSameListing(listing, again)) return null
    listing = again
  }
}

/** Opens the file that follows `file`; null while all later ones are empty, because `file` may still be written to. */
export async function openLater(path: string, file: SourceFile): Promise<SourceFile | null> {
  for (let uncertain: Listing | null = null; ; ) {
    const listing = await listFiles(path)
    const [next, ...rest] = laterFiles(listing, file)
    if (next === undefined || ![next, ...rest].some(({ size }) => size > 0)) return null
    // a file in between may just have been renamed; if the listing does not change, there is none
    if (!isNext(listing, file, next) && !(uncertain !== null && isSameListing(uncertain, listing))) {
      uncertain = listing
      await setTimeout(SETTLE_MS)
      continue
    }
    const opened = await SourceFile.open(next.path)
    // a copy may still be incomplete: the part of it that was read is in the original, too
    if (!file.isOnlyCopy && opened?.isOlder(file) === true) await opened.resume(file.position)
    await opened?.prefetch()
    // Rotation only moves files to older names. If `file` has kept its name, so has the next one, and the opened file is the one
    // in the listing, without bytes from after a rotation by copying.
    const { files } = await listFiles(path)
    if (opened !== null && nameOf(files, file) === nameOf(listing.files, file)) return opened
    await opened?.close()
  }
}

/** Whether a file that was started after `file` has content. */
export async function hasLater(path: string, file: FileId): Promise<boolean> {
  return laterFiles(await listFiles(path), file).some(({ size }) => size > 0)
}

/** The same file, then one with its inode (device numbers change at a reboot), then possible copies, newest first. */
function bestFirst({ path, files }: Listing, position: FilePosition): ListedFile[] {
  const rank = (file: ListedFile): number =>
    Number(file.ino !== position.ino) + Number(!isSameFile(file, position))
  // rules out older rotated files that begin with the same bytes; at the path itself inodes can be unstable
  const isCandidate = (file: ListedFile): boolean =>
    file.ino === position.ino || file.path === path || file.born > position.time - COPY_SLACK_MS
  return files
    .filter((file) => file.size >= position.offset && isCandidate(file))
    .sort((a, b) => rank(a) - rank(b) || b.born - a.born)
}
