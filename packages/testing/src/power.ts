import { readdir, readFile, rm, stat, truncate } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * The environment that makes a program record its syncs to disk in the file `record`. With `failsAt`, this many
 * syncs of RocksDB's write-ahead logs succeed, and all later ones fail.
 */
export function recordSyncs(record: string, failsAt?: number): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import ${new URL('./sync-recorder.js', import.meta.url).href}`,
    SYNC_RECORD: record,
    ...(failsAt !== undefined && { SYNC_FAILS_AT: String(failsAt) })
  }
}

/** A directory of stores whose program was killed, and other files that the program has written. */
export interface PowerCut {
  /** The directory of a store, or of a reader's stores and cursors. */
  readonly storage: string
  readonly record: string
  readonly files?: readonly string[]
}

/**
 * Simulates the worst power loss: everything that was not synced is lost, ends of files as well as names. Half of
 * the time, some of the unsynced end of a file survives. RocksDB syncs its other files before it uses them, so
 * those are not changed.
 */
export async function cutPower({ storage, record, files = [] }: PowerCut): Promise<void> {
  const synced = await readSynced(record)
  await cutNames(dirname(storage), synced, (name) => name === basename(storage))
  for (const path of [...(await cutDirectory(storage, synced)), ...files])
    await cutEnd(path, Number(synced.get(path) ?? 0))
}

/** Resolves to the write-ahead logs that are left. */
async function cutDirectory(directory: string, synced: Synced): Promise<string[]> {
  const isDatabase = basename(directory) === 'db'
  await cutNames(directory, synced, (name) => !isDatabase || name.endsWith('.log'))
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  if (isDatabase)
    return entries.filter(({ name }) => name.endsWith('.log')).map(({ name }) => join(directory, name))
  const inner = entries.filter((entry) => entry.isDirectory())
  return (await Promise.all(inner.map(({ name }) => cutDirectory(join(directory, name), synced)))).flat()
}

type Synced = ReadonlyMap<string, number | readonly string[]>

async function readSynced(record: string): Promise<Synced> {
  const text = await readFile(record, 'utf8').catch(() => '')
  // the last line may be incomplete if the program was killed: its sync did not finish
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
  return new Map(lines.map((line) => JSON.parse(line) as [string, number | string[]]))
}

async function cutNames(directory: string, synced: Synced, isCut: (name: string) => boolean): Promise<void> {
  const kept = synced.get(directory)
  const names = Array.isArray(kept) ? kept : []
  for (const name of await readdir(directory).catch(() => []))
    if (isCut(name) && !names.includes(name)) await rm(join(directory, name), { recursive: true })
}

async function cutEnd(path: string, length: number): Promise<void> {
  const { size } = await stat(path).catch(() => ({ size: 0 }))
  if (size <= length) return
  const survived = Math.random() < 0.5 ? 0 : Math.floor(Math.random() * (size - length))
  await truncate(path, length + survived)
}
