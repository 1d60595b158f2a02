import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { CoreKey } from '@many-cores/protocol'
import { keyFromBytes } from '@many-cores/protocol'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { ConflictProof, SharedCore, TreeNode } from 'hypercore'
import { NodeError } from '../errors.ts'

/**
 * Stands in the directory of a store that holds a core with two histories: a JSON object a line for each, with the core's key and
 * the two heads that its writer has signed, `ours` and `theirs`: fork, length, signature, and the hashes that the signature covers.
 */
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
    for (const rewriting of readFound(directory)) this.#found.set(rewriting.key, rewriting)
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
    core.reorg = async ({ ancestors, fork, length, roots, signature }) => {
      // or it asks for it again at once
      core.replicator.allowFork = false
      this.#find(core, ancestors, { fork, length, nodes: roots, signature })
      return false
    }
    const close = core._onconflict.bind(core)
    core._onconflict = (proof) => {
      this.#find(core, proof.upgrade.length, headOf(proof))
      return close(proof)
    }
  }

  #find(core: SharedCore, length: number, theirs: Head): void {
    const key = keyFromBytes(core.key as Uint8Array)
    if (this.#found.has(key)) return
    const rewriting = { key, length, isOld: false }
    this.#found.set(key, rewriting)
    const { fork, length: ownLength, roots, signature } = core.state
    const ours = { fork, length: ownLength, nodes: roots, signature }
    noteFound(this.#file, { key, length, ours: toJson(ours), theirs: toJson(theirs) })
    for (const listener of this.#listeners) listener(rewriting)
  }
}

/** What a writer has signed: the roots of a tree, or the nodes that they can be made of. */
interface Head {
  readonly fork: number
  readonly length: number
  readonly nodes: readonly TreeNode[]
  readonly signature: Uint8Array | null
}

function headOf({ fork, upgrade }: ConflictProof): Head {
  const { length, nodes, additionalNodes, signature } = upgrade
  return { fork, length, nodes: [...nodes, ...additionalNodes], signature }
}

function toJson({ fork, length, nodes, signature }: Head): object {
  return {
    fork,
    length,
    nodes: nodes.map(({ index, size, hash }) => [index, size, b4a.toString(hash, 'hex')]),
    signature: signature === null ? null : b4a.toString(signature, 'hex')
  }
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
function noteFound(path: string, finding: object): void {
  try {
    // at once: whoever hears of it ends the process
    const file = openSync(path, 'a', 0o600)
    try {
      // a line of its own, whatever was cut off before it
      writeSync(file, `\n${JSON.stringify(finding)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch {
    // found again when the peer is met again
  }
}

/** What was found before in the store of this directory. */
export function readFound(directory: string): Rewriting[] {
  try {
    return readFileSync(join(directory, FILE), 'utf8').split('\n').flatMap(parseFound)
  } catch {
    return []
  }
}

/** What a line says; nothing for one that was cut off. */
function parseFound(line: string): Rewriting[] {
  try {
    const { key, length } = JSON.parse(line) as Pick<Rewriting, 'key' | 'length'>
    return [{ key, length, isOld: true }]
  } catch {
    return []
  }
}
