import { type FileHandle, open } from 'node:fs/promises'
import { tryLock } from 'fs-native-extensions'

/** A locked file. The lock ends when it is released, or with the process. The file stays: removing it would let two processes in. */
export class Lock {
  readonly #file: FileHandle

  /** Locks the file at `path`, which is created if it is missing. Null if it is locked already, by this process or another one. */
  static async acquire(path: string): Promise<Lock | null> {
    const file = await open(path, 'a', 0o600)
    try {
      if (tryLock(file.fd, 0, 0)) return new Lock(file)
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return null
  }

  private constructor(file: FileHandle) {
    this.#file = file
  }

  async release(): Promise<void> {
    await this.#file.close()
  }
}
