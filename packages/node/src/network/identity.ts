import { readdir } from 'node:fs/promises'
import { isMissing, translate } from '../errors.ts'
import { openStore } from '../store/store.ts'

/** A store's key pair among peers, derived from the store's own secret: the same at every start. */
export interface PeerKeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** The alias of that key pair in the store. */
export const PEER_KEY_NAME = 'many-cores/peer'

/** The key pair of the store in a directory; null if there is none. Throws NodeError `STORE_*`, also while the store is in use. */
export async function peerKeyPairOf(directory: string): Promise<PeerKeyPair | null> {
  if (await isEmpty(directory)) return null
  // no sync is needed: nothing is written
  const { store } = await openStore(directory, { fsync: false })
  try {
    return await store.createKeyPair(PEER_KEY_NAME)
  } finally {
    await store.close()
  }
}

/** Whether the directory is empty or missing. */
async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0
  } catch (error) {
    if (isMissing(error)) return true
    throw translate(error)
  }
}
