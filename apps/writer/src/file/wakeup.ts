import { type FSWatcher, watch } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

/** Without a word from the system (a network file system, no watches left) one looks by oneself so often. */
const POLL_MS = 500

/** Tells when it may be worth while to look at a file and its rotated ones again. */
export class Wakeup {
  readonly #path: string
  readonly #watchers = new Map<string, FSWatcher>()
  #isRung = false
  #ring: () => void = ignore

  constructor(path: string) {
    this.#path = path
  }

  /** Starts to listen, so that nothing after it is missed. */
  async open(): Promise<void> {
    this.#listen(this.#path)
    // behind a symbolic link the changes are elsewhere
    const target = await realpath(this.#path).catch(() => this.#path)
    this.#listen(target)
  }

  /** Resolves when something has happened since the last call, or may have, or `signal` is aborted. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.#isRung && !signal.aborted) await this.#rung(signal)
    this.#isRung = false
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #rung(signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let ring = ignore
    const isLate = await new Promise<boolean>((resolve) => {
      ring = () => resolve(false)
      timer = setTimeout(resolve, POLL_MS, true)
      this.#ring = ring
      signal.addEventListener('abort', ring, { once: true })
    })
    clearTimeout(timer)
    signal.removeEventListener('abort', ring)
    this.#ring = ignore
    // the directory may be there by now, or the link point elsewhere
    if (isLate) await this.open()
  }

  /** Watches the directory of `path`: the file itself need not be there, and may be replaced. */
  #listen(path: string): void {
    const directory = dirname(path)
    if (this.#watchers.has(directory)) return
    const base = basename(path)
    try {
      const watcher = watch(directory, (_event, name) => {
        if (name !== null && !name.startsWith(base)) return
        this.#isRung = true
        this.#ring()
      })
      watcher.on('error', () => this.#forget(directory, watcher))
      this.#watchers.set(directory, watcher)
    } catch {
      // no such directory yet, or no watches left: the timer does it
      this.#watchers.delete(directory)
    }
  }

  #forget(directory: string, watcher: FSWatcher): void {
    watcher.close()
    this.#watchers.delete(directory)
  }
}

function ignore(): void {}
