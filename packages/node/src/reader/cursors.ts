import { type CoreKey, decodeManifest, keyToBytes, parseKey } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { translate } from '../errors.ts'
import { internalsOf } from '../internals.ts'
import type { Node } from '../node.ts'
import type { Cursor } from './cursor.ts'
import { listCursors, openCursor } from './cursor-store.ts'
import { storedEndPosition } from './seek.ts'

/** The cursors of one log, as the store has them: nobody is asked. Made by `openCursors`. */
export interface Cursors {
  /** How many lines the log had when this store last heard of it; null where that is not known, as for a tutorial log. */
  readonly length: number | null
  /** All that have a place or are damaged, by name. */
  list(): Promise<readonly Cursor[]>
  /** Throws NodeError `BAD_OPTION` for a name that cannot be one; `STORE_REFUSED` for a damaged one, which `list` has. */
  get(name: string): Promise<Cursor>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens the cursors of the log with this key, without looking for peers. Throws ProtocolError `BAD_KEY`; NodeError `CLOSED`. */
export async function openCursors(node: Node, key: string): Promise<Cursors> {
  const parsed = parseKey(key)
  const { store, wal, children } = internalsOf(node)
  return await children.adopt(async () => {
    const bootstrap = store.get({ key: keyToBytes(parsed) })
    try {
      await bootstrap.ready()
      const length = await storedLength(bootstrap, parsed)
      const close = async (): Promise<void> => {
        children.forget(cursors)
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
  return manifest.version === 1 ? await storedEndPosition(bootstrap, manifest) : null
}
