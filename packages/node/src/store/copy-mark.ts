import { open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import { isThere } from './directory.ts'
import { syncDirectory } from './fsync.ts'

/** A file in the directory of a store that was copied. It exists until the copy is adopted. */
export const COPIED = 'COPIED'

/** Says whether a store is a copy, whose log must not be continued before it is adopted: the original may have continued it. */
export class CopyMark {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  exists(): Promise<boolean> {
    return isThere(join(this.#directory, COPIED))
  }

  async remove(): Promise<void> {
    try {
      await unlink(join(this.#directory, COPIED))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    await syncDirectory(this.#directory)
  }
}

/**
 * Replaces the file at `path`, by which device-file 2.3 recognizes a copy, by one for this directory. Its `COPIED` must be on disk by
 * then.
 */
export async function renewDeviceFile(path: string): Promise<void> {
  const next = `${path}.next`
  const file = await open(next, 'w', 0o600)
  try {
    const { ino } = await file.stat()
    const lines = [
      `device/platform=${process.platform}`,
      `device/inode=${ino}`,
      `device/created=${Date.now()}`
    ]
    await file.writeFile(`${lines.join('\n')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, path)
}
