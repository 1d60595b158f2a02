import type { BigIntStats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ignore, isMissing, reasonOf } from './errors.ts'
import type { Names } from './names.ts'
import { usualNames } from './names.ts'

/** The fault of a directory, a named pipe and the like at the log's path. */
export const NOT_A_FILE = 'not a regular file'

/** A regular file, as the file system describes it. */
export interface FoundFile {
  readonly path: string
  /**
   * Its inode and time of birth, in ns. Not its device, whose number can change at a restart. Where the file system has no time of
   * birth, it is 0, and a later file can have the same id: so the content is checked, too.
   */
  readonly id: string
  readonly size: number
  /** When it was last written, in ns since 1970 by the file system's clock. */
  readonly written: bigint
  /** When it was last renamed or changed in another way. */
  readonly changed: bigint
}

/** What is at the log's path and at the names of its older files. */
export interface Listing {
  /** The path with symbolic links resolved. */
  readonly path: string
  readonly current: FoundFile | null
  /** Why there is no regular file at the path; '' if nothing is there. */
  readonly fault: string
  /** Other files that may have been the log, each once. */
  readonly others: readonly FoundFile[]
}

export async function list(path: string, names: readonly Names[]): Promise<Listing> {
  const target = await realpath(path).catch(() => path)
  const at = await current(path, target)
  const places = target === path ? names : [...names, usualNames(target)]
  const others = new Map<string, FoundFile>()
  for (const { directory, matches } of places) {
    const listed = (await readdir(directory).catch(() => [])).filter(matches)
    // a looping link, or a file that is gone by now, is none of the log's
    const found = await Promise.all(listed.map((name) => statFile(join(directory, name)).catch(ignore)))
    for (const file of found) if (file && file.id !== at.current?.id) others.set(file.id, file)
  }
  return { path: target, ...at, others: [...others.values()] }
}

/**
 * What several listings have found, until they find nothing new: a rename in between can hide a file from one of them. Two are enough
 * where the names stay the same.
 */
export async function listAll(path: string, names: readonly Names[]): Promise<Listing> {
  let listing = await list(path, names)
  const found = new Map<string, FoundFile>()
  for (let [calm, tries] = [0, 0]; calm < CALM_LISTINGS && tries < MAX_LISTINGS; tries++) {
    const known = found.size
    for (const file of filesOf(listing)) found.set(file.id, file)
    const again = await list(path, names)
    if (identities(again) === identities(listing)) return again
    calm = filesOf(again).every(({ id }) => found.has(id)) && found.size === known ? calm + 1 : 0
    listing = again
  }
  for (const file of filesOf(listing)) found.set(file.id, file)
  if (listing.current !== null) found.delete(listing.current.id)
  return { ...listing, others: [...found.values()] }
}

/** Where names change all the time, this many listings have to find nothing new. */
const CALM_LISTINGS = 3
const MAX_LISTINGS = 50

function filesOf({ current, others }: Listing): FoundFile[] {
  return current === null ? [...others] : [current, ...others]
}

/** Changes when names do, up to the resolution of the file system's times. Costs much less than a listing of many files. */
export async function signatureOf(path: string, names: readonly Names[]): Promise<string> {
  const target = await realpath(path).catch(() => path)
  const directories = new Set([dirname(target), ...names.map(({ directory }) => directory)])
  const ids = [target, ...directories].map(async (name) => {
    const stats = await stat(name, { bigint: true }).catch(() => null)
    return stats && `${stats.ino} ${stats.birthtimeNs} ${stats.isDirectory() ? stats.mtimeNs : ''}`
  })
  return [target, ...(await Promise.all(ids))].join('\n')
}

/** The regular file at `path`; null if there is none. Throws if that cannot be known. */
export async function statFile(path: string): Promise<FoundFile | null> {
  const stats = await stat(path, { bigint: true })
  return stats.isFile() ? describe(path, stats) : null
}

export function describe(path: string, stats: BigIntStats): FoundFile {
  const { ino, birthtimeNs, size, mtimeNs, ctimeNs } = stats
  return {
    path,
    id: `${ino}:${birthtimeNs}`,
    size: Number(size),
    written: mtimeNs,
    changed: ctimeNs
  }
}

/** A short name of a file among others: of an older file, only whether it is new has to be known. */
export function tagOf({ id, written }: FoundFile): number {
  return crc32(id.endsWith(':0') ? `${id}:${written}` : id)
}

async function current(
  path: string,
  target: string
): Promise<{ readonly current: FoundFile | null; readonly fault: string }> {
  try {
    const file = await statFile(path)
    return { current: file && { ...file, path: target }, fault: file === null ? NOT_A_FILE : '' }
  } catch (error) {
    return { current: null, fault: isMissing(error) ? '' : reasonOf(error) }
  }
}

function identities({ current, others }: Listing): string {
  return [current, ...others]
    .map((file) => `${file?.path} ${file?.id}`)
    .sort()
    .join('\n')
}
