import { type FSWatcher, watch } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ignore } from './errors.ts'
import type { Names } from './names.ts'

/** Network file systems send no events, and watches can run out: then poll. */
const POLL_MS = 500

/** What may have changed; `unknown` if no event came for a while. */
export type Change = 'content' | 'names' | 'unknown'

/** Waits for changes of a file and of its older files. */
export class Watch {
  readonly #path: string
  readonly #names: readonly Names[]
  readonly #watchers = new Map<string, FSWatcher>()
  #change: Change | null = null
  #wake: () => void = ignore

  constructor(path: string, names: readonly Names[]) {
    this.#path = path
    this.#names = names
  }

  /** Starts watching: later changes are not missed. */
  async open(): Promise<void> {
    this.#watch(dirname(this.#path))
    // with a symbolic link, the changes are in the target's directory
    const target = await realpath(this.#path).catch(() => this.#path)
    this.#watch(dirname(target), basename(target))
    for (const { directory } of this.#names) this.#watch(directory)
  }

  /**
   * Resolves when something may have changed since the last call: `content` if it is certainly no name. After `ms`, at most 500,
   * `unknown`. Also resolves when `signal` is aborted.
   */
  async next(signal: AbortSignal, ms: number = POLL_MS): Promise<Change> {
    if (this.#change === null && !signal.aborted) await this.#changed(signal, Math.min(ms, POLL_MS))
    const change = this.#change ?? 'unknown'
    this.#change = null
    return change
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #changed(signal: AbortSignal, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const isLate = await new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(false)
      timer = setTimeout(resolve, ms, true)
      signal.addEventListener('abort', this.#wake)
    })
    clearTimeout(timer)
    signal.removeEventListener('abort', this.#wake)
    // the directory may exist by now, or the link have another target
    if (isLate) await this.open()
  }

  #watch(directory: string, target?: string): void {
    if (this.#watchers.has(directory)) return
    const base = basename(this.#path)
    const ours = this.#names.filter((names) => names.directory === directory)
    const isOurs = (name: string): boolean =>
      name === base || name === target || ours.some(({ matches }) => matches(name))
    try {
      const watcher = watch(directory, (event, name) => {
        if (name !== null && !isOurs(name)) return
        const isContent = event === 'change' && (name === base || name === target)
        if (this.#change !== 'names') this.#change = isContent ? 'content' : 'names'
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
