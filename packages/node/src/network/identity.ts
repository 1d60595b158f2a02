import { createHash, randomBytes } from 'node:crypto'
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import {
  extension_tweak_ed25519_keypair,
  extension_tweak_ed25519_pk,
  extension_tweak_ed25519_sign_detached,
  extension_tweak_ed25519_sk_to_scalar
} from 'sodium-universal'
import { isMissing, NodeError } from '../errors.ts'
import { syncDirectory } from '../store/fsync.ts'

/** A key pair that identifies a node to peers. */
export interface PeerKeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
  /** Of a derived one: what Noise uses instead of the secret key, … */
  readonly scalar?: Uint8Array
  /** … and HyperDHT. */
  readonly sign?: (message: Uint8Array) => Uint8Array
}

/** The file with the seed of a directory's key pair. */
export const PEER = 'peer'

/**
 * The key pair of a directory. Its seed is created if it is missing. A copy of the directory has another key pair, because the file's
 * inode is part of it: of two peers with one key, others would keep only one connected.
 */
export async function peerKeyPair(
  directory: string,
  { fsync }: { readonly fsync: boolean }
): Promise<PeerKeyPair> {
  const path = join(directory, PEER)
  const seed = (await readSeed(path)) ?? (await createSeed(directory, fsync))
  const { ino } = await stat(path, { bigint: true })
  return SecretStream.keyPair(createHash('sha256').update(`many-cores/peer ${seed} ${ino}`).digest())
}

/**
 * The key pair `name` that is derived from another one. Each log of a home has one: two processes with the same key pair would get each
 * other's calls over the DHT. Peers that know the id of the home and the name know its public key, too: `deriveId`.
 */
export function deriveKeyPair({ secretKey }: PeerKeyPair, name: string): PeerKeyPair {
  const [publicKey, base, scalar] = [b4a.alloc(32), b4a.alloc(32), b4a.alloc(32)]
  extension_tweak_ed25519_sk_to_scalar(base, secretKey)
  extension_tweak_ed25519_keypair(publicKey, scalar, base, namespaceOf(name))
  const sign = (message: Uint8Array): Uint8Array => {
    const signature = b4a.alloc(64)
    extension_tweak_ed25519_sign_detached(signature, message, scalar, publicKey)
    return signature
  }
  return { publicKey, secretKey: scalar, scalar, sign }
}

/** The id of the key pair `name` that is derived from the one with this id. */
export function deriveId(id: string, name: string): string {
  const derived = b4a.alloc(32)
  try {
    extension_tweak_ed25519_pk(derived, b4a.from(id, 'hex'), namespaceOf(name))
  } catch {
    // no key pair has this id
    return id
  }
  return b4a.toString(derived, 'hex')
}

/** The public key of a key pair, in hex. */
export function peerIdOf({ publicKey }: PeerKeyPair): string {
  return b4a.toString(publicKey, 'hex')
}

function namespaceOf(name: string): Uint8Array {
  return createHash('sha256').update(`many-cores/peer-of-log ${name}`).digest()
}

/** Null if there is none. */
async function readSeed(path: string): Promise<string | null> {
  try {
    const [, seed] = /^([0-9a-f]{64})\n$/.exec(await readFile(path, 'utf8')) ?? []
    if (seed !== undefined) return seed
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  throw new NodeError('STORE_REFUSED', `${path} is damaged. Remove it: this peer then gets a new id`)
}

/** Creates the seed, whole or not at all. Of several processes that do this at once, one succeeds, and all use its seed. */
async function createSeed(directory: string, fsync: boolean): Promise<string> {
  const path = join(directory, PEER)
  const next = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`
  await writeFile(next, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: fsync })
  try {
    await link(next, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await unlink(next)
  }
  if (fsync) await syncDirectory(directory)
  return (await readSeed(path)) ?? (await createSeed(directory, fsync))
}
