// Preloaded into a program (`recordSyncs`): records its syncs to disk, so that a test can cut the power
// (`cutPower`). Each sync is a line of JSON: [path, bytes] for a file, [path, names] for a directory. With
// SYNC_FAILS_AT, this many syncs of write-ahead logs succeed, and each later one fails as on a broken disk,
// recorded as [path, "failed"].

import { appendFileSync, readdirSync, statSync } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const record = process.env.SYNC_RECORD
if (record === undefined) throw new Error('SYNC_RECORD is not set')

let left = Number(process.env.SYNC_FAILS_AT ?? Number.POSITIVE_INFINITY)

const { open } = fs
fs.open = async (path, ...rest) => {
  const file = await open(path, ...rest)
  for (const name of ['sync', 'datasync'] as const) noteAfter(file, name, String(path))
  return file
}
syncBuiltinESMExports()

function noteAfter(file: FileHandle, name: 'sync' | 'datasync', path: string): void {
  const sync = file[name].bind(file)
  file[name] = async () => {
    // a sync may miss what is written while it runs
    const stat = statSync(path)
    const synced = stat.isDirectory() ? readdirSync(path) : stat.size
    if (path.endsWith('.log') && left-- <= 0) {
      note(path, 'failed')
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), {
        code: 'EIO',
        errno: -5,
        syscall: 'fdatasync'
      })
    }
    await sync()
    note(path, synced)
  }
}

function note(path: string, synced: unknown): void {
  appendFileSync(record as string, `${JSON.stringify([path, synced])}\n`)
}
