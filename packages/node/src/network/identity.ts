import { readdir } from 'node:fs/promises'
import { isMissing, translate } from '../errors.ts'
import { openStore } from '../store/store.ts'

/** The key pair that this store shows to its peers, the same at every start. */
export interface PeerKeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** Its alias; it is derived from the store's own secret. */
export const PEER_KEY_NAME = 'many-cores/peer'

/** The key pair of the store in a directory; null where there is none yet. Throws NodeError `STORE_*`, also while it is in use. */
export async function peerKeyPairOf(directory: string): Promise<PeerKeyPair | null> {
  if (await isEmpty(directory)) return null
  // nothing is written
  const { store } = await openStore(directory, { fsync: false })
  try {
    return await store.createKeyPair(PEER_KEY_NAME)
  } finally {
    await store.close()
  }
}

/** Whether nothing is in the directory, or it is not there. */
async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0
  } catch (error) {
    if (isMissing(error)) return true
    throw translate(error)
  }
}
