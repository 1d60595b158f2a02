import { open } from 'node:fs/promises'

/** Puts a file's contents and size onto the disk. */
export async function syncFile(path: string): Promise<void> {
  // Windows syncs only what was opened for writing
  await using file = await open(path, 'r+')
  await file.datasync()
}

/** Puts the names in a directory onto the disk: a new file survives a power cut only with its name. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows has no descriptors of directories
  if (process.platform === 'win32') return
  await using directory = await open(path, 'r')
  await directory.sync()
}
