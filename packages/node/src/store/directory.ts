import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NodeError } from '../errors.ts'
import { syncDirectory } from './fsync.ts'

/** Returns the outermost directory that it created. Not `recursive`: with that, Node 20 never returns on a file system like /proc. */
export async function makeDirectory(directory: string): Promise<string | undefined> {
  const parent = dirname(directory)
  const made = (await isThere(parent)) ? undefined : await makeDirectory(parent)
  try {
    await mkdir(directory, { mode: 0o700 })
    return made ?? directory
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT') throw refused('no directory can be created there. Use another --storage', error)
    if (code !== 'EEXIST') throw error
    const found = await stat(directory).catch(() => null)
    if (found?.isDirectory() === true) return made
    if (found !== null) throw error
    throw refused(
      `${directory} is a link to a directory that does not exist. Create that directory, or use another --storage`,
      error
    )
  }
}

/** Syncs the names of all directories that were created for `directory`: `made` is the outermost. */
export async function syncCreated(directory: string, made: string | undefined): Promise<void> {
  const outermost = made === undefined ? directory : dirname(made)
  for (let inner = directory; ; inner = dirname(inner)) {
    await syncDirectory(inner)
    if (inner === outermost || inner === dirname(inner)) return
  }
}

export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

function refused(fault: string, cause: unknown): NodeError {
  return new NodeError('STORE_REFUSED', `the store cannot be used: ${fault}`, { cause })
}
