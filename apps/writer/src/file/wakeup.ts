import { type FSWatcher, watch } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ignore } from '@many-cores/cli'

/** Network file systems send no events, and watches can run out: then poll. */
const POLL_MS = 500

/** Waits for changes of a file and its rotated files. */
export class Wakeup {
  readonly #path: string
  readonly #watchers = new Map<string, FSWatcher>()
  #hasChanged = false
  #wake: () => void = ignore

  constructor(path: string) {
    this.#path = path
  }

  /** Starts watching: later changes are not missed. */
  async open(): Promise<void> {
    this.#watch(this.#path)
    // with a symbolic link, the changes are in the target's directory
    this.#watch(await realpath(this.#path).catch(() => this.#path))
  }

  /** Resolves when something may have changed since the last call, or `signal` is aborted. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.#hasChanged && !signal.aborted) await this.#changed(signal)
    this.#hasChanged = false
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #changed(signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const isLate = await new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(false)
      timer = setTimeout(resolve, POLL_MS, true)
      signal.addEventListener('abort', this.#wake)
    })
    clearTimeout(timer)
    signal.removeEventListener('abort', this.#wake)
    // the directory may exist by now, or the link have another target
    if (isLate) await this.open()
  }

  /** Watches the directory of `path`: the file may not exist yet, and may be replaced. */
  #watch(path: string): void {
    const directory = dirname(path)
    if (this.#watchers.has(directory)) return
    const base = basename(path)
    try {
      const watcher = watch(directory, (_event, name) => {
        if (name !== null && !name.startsWith(base)) return
        this.#hasChanged = true
        this.#wake()
      })
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(directory)
      })
      this.#watchers.set(directory, watcher)
    } catch {
      // the directory does not exist yet, or there are no watches left: poll
    }
  }
}
