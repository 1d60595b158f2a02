import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CoreKey, keyFromBytes } from '@many-cores/protocol'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { SharedCore, TreeNode } from 'hypercore'
import { NodeError } from '../errors.ts'
import { Reporter } from '../reporter.ts'

/**
 * The file in the store's directory that keeps the proof that cores have forked: a JSON object a line, with the core's key and the two
 * heads that its writer has signed, `ours` and `theirs`: fork, length, signature, and the hashes that the signature covers.
 */
const FILE = 'REWRITTEN'

/** A core has forked: its signatures prove that its owner has signed two histories. */
export interface Fork {
  readonly key: CoreKey
  /** The histories differ at this length or before. */
  readonly length: number
  /** Whether an earlier run found it. */
  readonly isOld: boolean
}

/**
 * Watches every core of a store for a fork, and reports it. Hypercore replaces its data with a history that was truncated and signed
 * again. This prevents that: what was delivered stays stored.
 */
export class History extends Reporter<Fork> {
  readonly #file: string
  readonly #forked = new Set<CoreKey>()

  /** `directory` is the store's. */
  constructor(store: Corestore, directory: string) {
    super()
    this.#file = join(directory, FILE)
    for (const fork of readForks(directory)) this.#add(fork)
    // every core, also one that is opened because a peer requests it
    store.watch((core) => this.#interceptForks(core))
  }

  #interceptForks(core: SharedCore): void {
    // hypercore 11.37 calls this with a verified history, to replace its own
    core.reorg = async ({ ancestors, fork, length, roots, signature }) => {
      // or it requests the history again at once
      core.replicator.allowFork = false
      this.#onFork(core, ancestors, { fork, length, nodes: roots, signature })
      return false
    }
    const close = core._onconflict.bind(core)
    core._onconflict = (proof) => {
      const { length, nodes, additionalNodes, signature } = proof.upgrade
      const theirs = { fork: proof.fork, length, nodes: [...nodes, ...additionalNodes], signature }
      this.#onFork(core, length, theirs)
      return close(proof)
    }
  }

  #onFork(core: SharedCore, length: number, theirs: Head): void {
    const key = keyFromBytes(core.key as Uint8Array)
    if (this.#forked.has(key)) return
    const { fork, length: ownLength, roots, signature } = core.state
    const ours = { fork, length: ownLength, nodes: roots, signature }
    writeProof(this.#file, { key, length, ours: toJson(ours), theirs: toJson(theirs) })
    this.#add({ key, length, isOld: false })
  }

  #add(fork: Fork): void {
    this.#forked.add(fork.key)
    this.report(fork)
  }
}

/** A signed head. `nodes` are the roots of the tree, or nodes that determine them. */
interface Head {
  readonly fork: number
  readonly length: number
  readonly nodes: readonly TreeNode[]
  readonly signature: Uint8Array | null
}

function toJson({ nodes, signature, ...head }: Head): object {
  return {
    ...head,
    nodes: nodes.map(({ index, size, hash }) => [index, size, b4a.toString(hash, 'hex')]),
    signature: signature === null ? null : b4a.toString(signature, 'hex')
  }
}

/** `fork` as an error, about the core `name`. */
export function forkError(name: string, { length, isOld }: Fork): NodeError {
  return new NodeError(
    'REWRITTEN',
    `this log has forked, usually because the writer's store was restored from an older copy: its writer has signed two versions of core ${name} that differ at or before length ${length}${isOld ? ' (found in an earlier run)' : ''}. It cannot continue; start a new log with a new --storage`
  )
}

// hypercore 11.37 does not store `frozen`: after a restart it would continue
function writeProof(path: string, proof: object): void {
  try {
    // synchronous: the report may end the process. The first newline ends a line that was cut off.
    appendFileSync(path, `\n${JSON.stringify(proof)}\n`, { mode: 0o600, flush: true })
  } catch {
    // the next connection to the peer finds the fork again
  }
}

/** The forks that the store in this directory has recorded. */
export function readForks(directory: string): Fork[] {
  try {
    return readFileSync(join(directory, FILE), 'utf8').split('\n').flatMap(parseFork)
  } catch {
    return []
  }
}

/** The fork in a line; none if the line was cut off. */
function parseFork(line: string): Fork[] {
  try {
    const { key, length } = JSON.parse(line) as Pick<Fork, 'key' | 'length'>
    return [{ key, length, isOld: true }]
  } catch {
    return []
  }
}
