import { type CoreKey, keyFromBytes } from '@many-cores/protocol'
import { translate } from '../errors.ts'
import { internalsOf } from '../internals.ts'
import type { Node } from '../node.ts'

/** The key of the log that the node's store has the writer of; null if there is none. Reads only the store. */
export async function storedKey(node: Node): Promise<CoreKey | null> {
  const bootstrap = internalsOf(node).store.get({ name: 'core-1', createIfMissing: false })
  try {
    await bootstrap.ready()
    return bootstrap.length === 0 ? null : keyFromBytes(bootstrap.key as Uint8Array)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'STORAGE_EMPTY') return null
    throw translate(error)
  } finally {
    await bootstrap.close()
  }
}
