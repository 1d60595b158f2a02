import { type CoreKey, decodeManifest, keyToBytes, parseKey } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { translate } from '../errors.ts'
import { internalsOf } from '../internals.ts'
import type { Node } from '../node.ts'
import type { Cursor } from './cursor.ts'
import { listCursors, openCursor } from './cursor-store.ts'
import { lastPosition } from './seek.ts'

/** The cursors of one log, read from the store alone. Made by `openCursors`. */
export interface Cursors {
  /** The number of lines in the log, as far as this store knows; null if unknown, as for a tutorial log. */
  readonly length: number | null
  /** The cursors that have a position or are damaged, by name. */
  list(): Promise<readonly Cursor[]>
  /** Throws NodeError `BAD_OPTION` for an invalid name; `STORE_REFUSED` for a damaged cursor, which `list` includes. */
  get(name: string): Promise<Cursor>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens the cursors of the log with this key, without finding peers. Throws ProtocolError `BAD_KEY`; NodeError `CLOSED`. */
export async function openCursors(node: Node, key: string): Promise<Cursors> {
  const parsed = parseKey(key)
  const { store, wal, children } = internalsOf(node)
  return await children.open(async () => {
    const bootstrap = store.get({ key: keyToBytes(parsed) })
    try {
      await bootstrap.ready()
      const length = await storedLength(bootstrap, parsed)
      const close = async (): Promise<void> => {
        children.remove(cursors)
        await bootstrap.close()
      }
      const cursors: Cursors = {
        length,
        list: () => listCursors(bootstrap, wal),
        get: (name) => openCursor(bootstrap, name, wal),
        close,
        [Symbol.asyncDispose]: close
      }
      return cursors
    } catch (error) {
      await bootstrap.close()
      throw translate(error)
    }
  })
}

async function storedLength(bootstrap: Hypercore, key: CoreKey): Promise<number | null> {
  const first = await bootstrap.get(0, { wait: false })
  if (first === null) return null
  const manifest = decodeManifest(first, key)
  return manifest.version === 1 ? await lastPosition(bootstrap, manifest, { wait: false }) : null
}
