import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isNextName, laterNames, rotatedNames } from './rotation.ts'

/** A file as the system knows it. */
export interface FileId {
  readonly dev: string
  readonly ino: string
}

export interface ListedFile extends FileId {
  readonly path: string
  readonly size: number
  /** When it was made, in ms since 1970. */
  readonly born: number
}

/** A file if it is there, and those that it may have been rotated to. */
export interface Listing {
  /** Where the file is, or would be: behind a symbolic link, where that points. */
  readonly path: string
  readonly files: readonly ListedFile[]
}

export async function listFiles(link: string): Promise<Listing> {
  const path = await realpath(link).catch(() => link)
  const base = basename(path)
  const names = [base, ...rotatedNames(base, await namesIn(dirname(path)))]
  const files = await Promise.all(names.map((name) => lookAt(join(dirname(path), name))))
  return { path, files: files.filter((file) => file !== null) }
}

/** The files that were begun after `file` was, oldest first. Of one that was not rotated to a known name: the one at the path. */
export function laterFiles({ path, files }: Listing, file: FileId): ListedFile[] {
  const base = basename(path)
  const here = nameOf(files, file)
  const names = files.map((listed) => basename(listed.path))
  const later = here === undefined ? [base] : laterNames(base, names, here)
  return later
    .map((name) => files.find((listed) => basename(listed.path) === name))
    .filter((listed) => listed !== undefined)
}

/**
 * Whether the name of `next` is the one that follows `file`. A listing takes its time: while files are renamed, some of them may
 * be missing in it.
 */
export function isNext({ path, files }: Listing, file: FileId, next: ListedFile): boolean {
  const here = nameOf(files, file)
  return here !== undefined && isNextName(basename(path), here, basename(next.path))
}

/** The name that `file` has in the listing. */
export function nameOf(files: readonly ListedFile[], file: FileId): string | undefined {
  const listed = files.find((other) => isSameFile(other, file))
  return listed && basename(listed.path)
}

/** The regular file at `path` now, or null. */
export async function lookAt(path: string): Promise<ListedFile | null> {
  try {
    const found = await stat(path, { bigint: true })
    if (!found.isFile()) return null
    const born = Number(found.birthtimeMs)
    return { path, dev: `${found.dev}`, ino: `${found.ino}`, size: Number(found.size), born }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

export function isSameFile(a: FileId, b: FileId): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

/** Whether nothing was renamed, made or removed in between. */
export function isSameListing({ files }: Listing, other: Listing): boolean {
  const known = new Map(other.files.map((file) => [file.path, file]))
  return (
    files.length === known.size &&
    files.every((file) => {
      const still = known.get(file.path)
      return still !== undefined && isSameFile(file, still)
    })
  )
}

export function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ENOTDIR'
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    // one may go into a directory that one may not list: rotated files are then not found
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'EACCES')) return []
    throw error
  }
}
