import type { BigIntStats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '@many-cores/cli'
import { isNextName, laterNames, rotatedNames } from './rotation.ts'

/** The identity of a file. */
export interface FileId {
  readonly dev: string
  readonly ino: string
}

export interface ListedFile extends FileId {
  readonly path: string
  readonly size: number
  /** When it was created, in ms since 1970. */
  readonly born: number
}

/** A file, if it exists, and its possible rotated files. */
export interface Listing {
  /** The path of the file, with symbolic links resolved. */
  readonly path: string
  readonly files: readonly ListedFile[]
}

export async function listFiles(link: string): Promise<Listing> {
  const path = await realpath(link).catch(() => link)
  const base = basename(path)
  const names = [base, ...rotatedNames(base, await namesIn(dirname(path)))]
  const files = await Promise.all(names.map((name) => statFile(join(dirname(path), name))))
  return { path, files: files.filter((file) => file !== null) }
}

/** The files that were started after `file`, oldest first. If `file` has no known name: the one at the path. */
export function laterFiles({ path, files }: Listing, file: FileId): ListedFile[] {
  const base = basename(path)
  const name = nameOf(files, file)
  const names = files.map((listed) => basename(listed.path))
  const later = name === undefined ? [base] : laterNames(base, names, name)
  return later.flatMap((name) => files.find((listed) => basename(listed.path) === name) ?? [])
}

/** Whether the name of `next` directly follows `file`. During a rotation, a listing can miss files in between. */
export function isNext({ path, files }: Listing, file: FileId, next: ListedFile): boolean {
  const name = nameOf(files, file)
  return name !== undefined && isNextName(basename(path), name, basename(next.path))
}

/** The name of `file` in the listing. */
export function nameOf(files: readonly ListedFile[], file: FileId): string | undefined {
  const listed = files.find((other) => isSameFile(other, file))
  return listed && basename(listed.path)
}

/** The regular file at `path`, or null. */
export async function statFile(path: string): Promise<ListedFile | null> {
  const stats = await ifExists(stat(path, { bigint: true }))
  return stats?.isFile() ? describeFile(path, stats) : null
}

export function describeFile(path: string, { dev, ino, size, birthtimeMs }: BigIntStats): ListedFile {
  return { path, dev: `${dev}`, ino: `${ino}`, size: Number(size), born: Number(birthtimeMs) }
}

export function isSameFile(a: FileId, b: FileId): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

/** Whether no file was renamed, created or removed between two listings. */
export function isSameListing(a: Listing, b: Listing): boolean {
  const identities = ({ files }: Listing): string =>
    files
      .map(({ path, dev, ino }) => `${path} ${dev} ${ino}`)
      .sort()
      .join('\n')
  return identities(a) === identities(b)
}

/** Null if there is no such file. */
export async function ifExists<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(String(codeOf(error)))) return null
    throw error
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await ifExists(readdir(directory))) ?? []
  } catch (error) {
    // the directory may be accessible without being listable: then rotated files are not found
    if (codeOf(error) === 'EACCES') return []
    throw error
  }
}
