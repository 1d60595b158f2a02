import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'

/** Names and values, ready to be stored. */
export type Checkpoints = ReadonlyMap<string, Uint8Array>

/** A checkpoint is a place to go on from, not a store of its own: it is written again with each batch. */
const MAX_CHECKPOINT_BYTES = 4096

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/checkpoint/'

/** A copy of a value's bytes. Throws NodeError `BAD_OPTION` for one that is too large. */
export function encodeCheckpoint(name: string, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? b4a.from(value) : Uint8Array.from(value)
  if (bytes.byteLength <= MAX_CHECKPOINT_BYTES) return bytes
  throw new NodeError(
    'BAD_OPTION',
    `the checkpoint ${name} has ${bytes.byteLength} bytes; at most ${MAX_CHECKPOINT_BYTES} are allowed`
  )
}

/** Throws NodeError `BAD_OPTION` for a name that cannot be one. */
export function checkCheckpointName(name: string): void {
  if (NAME.test(name)) return
  throw new NodeError(
    'BAD_OPTION',
    `${JSON.stringify(name)} is no checkpoint name: 1 to 64 of A-Z a-z 0-9 . _ -`
  )
}

/** The stored value, or null. */
export async function readCheckpoint(bootstrap: Hypercore, name: string): Promise<Uint8Array | null> {
  checkCheckpointName(name)
  try {
    return await bootstrap.getUserData(PREFIX + name)
  } catch (error) {
    throw translate(error)
  }
}

/** Writes through `session`: in an atom, if it is one of an atom. */
export async function writeCheckpoints(session: Hypercore, checkpoints: Checkpoints): Promise<void> {
  for (const [name, value] of checkpoints) await session.setUserData(PREFIX + name, value)
}
