import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { laterNames, rotatedNames } from './rotation.ts'

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

/** The file at `path` if it is there, and those that it may have been rotated to. */
export async function listFiles(path: string): Promise<ListedFile[]> {
  const base = basename(path)
  const names = [base, ...rotatedNames(base, await namesIn(dirname(path)))]
  const files = await Promise.all(names.map((name) => lookAt(join(dirname(path), name))))
  return files.filter((file) => file !== null)
}

/** The files in `listing` that were begun after `file` was, oldest first. Of one that was not rotated to a known name: what is at `path`. */
export function laterFiles(path: string, listing: readonly ListedFile[], file: FileId): ListedFile[] {
  const here = listing.find((listed) => isSameFile(listed, file))
  const at = (name: string): ListedFile | undefined =>
    listing.find((listed) => basename(listed.path) === name)
  const names = listing.map((listed) => basename(listed.path))
  const later = here === undefined ? [basename(path)] : laterNames(basename(path), names, basename(here.path))
  return later.map(at).filter((listed) => listed !== undefined)
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
export function isSameListing(a: readonly ListedFile[], b: readonly ListedFile[]): boolean {
  const known = new Map(b.map((file) => [file.path, file]))
  return (
    a.length === b.length &&
    a.every((file) => {
      const other = known.get(file.path)
      return other !== undefined && isSameFile(file, other)
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
