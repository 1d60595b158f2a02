import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import { keyFromBytes } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type { SharedCore } from 'hypercore'
import { NodeError } from './errors.ts'

/** Stands in the directory of a store that holds a core with two histories; a line for each. */
const FILE = 'REWRITTEN'

/** That the owner of a core's key has signed two histories of it, as its signatures prove. */
export interface Rewriting {
  readonly key: CoreKey
  /** Up to where the two may agree: from there on they do not, or a signature of this length is another one. */
  readonly length: number
  /** Whether it was found in the store, where it was noted the last time. */
  readonly isOld: boolean
}

/**
 * Watches every core of a store for a second history. Hypercore takes over one that was truncated and signed anew, and throws
 * away what is here; nothing of that here: what was delivered stays as it is, and whoever reads it is told.
 */
export class History {
  readonly #file: string
  readonly #found = new Map<CoreKey, Rewriting>()
  readonly #listeners = new Set<(rewriting: Rewriting) => void>()

  /** `directory` is the store's. */
  constructor(store: Corestore, directory: string) {
    this.#file = join(directory, FILE)
    for (const rewriting of readFound(this.#file)) this.#found.set(rewriting.key, rewriting)
    // every core, whoever opens it: a peer that asks for one does so, too
    store.watch((core) => this.#guard(core))
  }

  /** Tells of every rewriting, those that were found already at once; returns what ends it. */
  watch(listener: (rewriting: Rewriting) => void): () => void {
    this.#listeners.add(listener)
    for (const rewriting of this.#found.values()) listener(rewriting)
    return () => void this.#listeners.delete(listener)
  }

  #guard(core: SharedCore): void {
    // hypercore 11.37 verifies the new history's signature, then calls this to take it over
    core.reorg = async ({ ancestors }) => {
      // or it asks for it again at once
      core.replicator.allowFork = false
      this.#find(core, ancestors)
      return false
    }
    const close = core._onconflict.bind(core)
    core._onconflict = (proof) => {
      this.#find(core, proof.upgrade.length)
      return close(proof)
    }
  }

  #find({ key }: SharedCore, length: number): void {
    const name = keyFromBytes(key as Uint8Array)
    if (this.#found.has(name)) return
    const rewriting = { key: name, length, isOld: false }
    this.#found.set(name, rewriting)
    noteFound(this.#file, rewriting)
    for (const listener of this.#listeners) listener(rewriting)
  }
}

/** The names of a log's cores, by their keys. */
export function coreNames(key: CoreKey, { cores }: BootstrapManifest): ReadonlyMap<CoreKey, string> {
  return new Map([[key, 'bootstrap'], ...cores.map((core) => [core.key, core.name] as const)])
}

/** What to say of it to who has the core under this name. */
export function rewritten(name: string, { length, isOld }: Rewriting): NodeError {
  const before = isOld ? ', as was found before this start' : ''
  return new NodeError(
    'REWRITTEN',
    `history was rewritten: two histories of core ${name} are signed by its writer, which differ at length ${length} or before${before}; what is stored stays as it is, and nothing is added to it`
  )
}

// hypercore 11.37 forgets what it found: `frozen` is not stored.
function noteFound(file: string, { key, length }: Rewriting): void {
  try {
    // at once: whoever hears of it ends the process
    appendFileSync(file, `${JSON.stringify({ key, length })}\n`, { mode: 0o600 })
  } catch {
    // found again when the peer is met again
  }
}

function readFound(file: string): Rewriting[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
    return lines.map((line) => {
      const { key, length } = JSON.parse(line) as Pick<Rewriting, 'key' | 'length'>
      return { key, length, isOld: true }
    })
  } catch {
    return []
  }
}
