import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'

/** By name, the functions that return the value. They are called once the batch is complete. */
export type Checkpoints = Map<string, () => Uint8Array | string>

/** Each batch writes a checkpoint again, so it must be small. */
const MAX_CHECKPOINT_BYTES = 4096

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/checkpoint/'

/** A copy of a value's bytes. Throws NodeError `BAD_OPTION` if the name is invalid or the value too large. */
export function encodeCheckpoint(name: string, value: Uint8Array | string): Uint8Array {
  checkCheckpointName(name)
  const bytes = typeof value === 'string' ? b4a.from(value) : Uint8Array.from(value)
  if (bytes.byteLength <= MAX_CHECKPOINT_BYTES) return bytes
  throw new NodeError(
    'BAD_OPTION',
    `checkpoint ${name} has ${bytes.byteLength} bytes: expected at most ${MAX_CHECKPOINT_BYTES}`
  )
}

/** Throws NodeError `BAD_OPTION` for an invalid name. */
export function checkCheckpointName(name: string): void {
  if (NAME.test(name)) return
  throw new NodeError(
    'BAD_OPTION',
    `invalid checkpoint name ${JSON.stringify(name)}: expected 1 to 64 of A-Z a-z 0-9 . _ -`
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

/** Writes into the atom of `session`, if it has one. */
export async function writeCheckpoints(session: Hypercore, checkpoints: Checkpoints): Promise<void> {
  for (const [name, value] of checkpoints)
    await session.setUserData(PREFIX + name, encodeCheckpoint(name, value()))
}
