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

/** The key pair of a directory's store; null if there is none. Throws `STORE_*`, also if it is in use. */
export async function peerKeyPairOf(directory: string): Promise<PeerKeyPair | null> {
  const names = await readdir(directory).catch((error: unknown): string[] => {
    if (isMissing(error)) return []
    throw translate(error)
  })
  if (names.length === 0) return null
  // no sync is needed: at most the file DATABASE of an older store is written
  const { store } = await openStore(directory, { fsync: false })
  try {
    return await store.createKeyPair(PEER_KEY_NAME)
  } finally {
    await store.close()
  }
}
