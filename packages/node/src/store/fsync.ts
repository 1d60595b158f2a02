import { open } from 'node:fs/promises'

/** Syncs a file's content and size to disk. */
export async function syncFile(path: string): Promise<void> {
  // Windows syncs only a file that is open for writing
  await using file = await open(path, 'r+')
  await file.datasync()
}

/** Syncs the names in a directory to disk: without its name, a new file does not survive a power loss. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory
  if (process.platform === 'win32') return
  await using directory = await open(path, 'r')
  await directory.sync()
}
