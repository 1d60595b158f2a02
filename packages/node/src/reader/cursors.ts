import { resolve } from 'node:path'
import { decodeManifest, keyToBytes, parseKey } from '@many-cores/protocol'
import { ignore, translate } from '../errors.ts'
import { internalsOf } from '../internals.ts'
import { hasStore, lookAtLog } from '../log-node.ts'
import type { Node, NodeOptions } from '../node.ts'
import { Home } from '../store/home.ts'
import type { Cursor } from './cursor.ts'
import { listCursors, openCursor } from './cursor-store.ts'
import { openReader } from './open.ts'
import { lastPosition } from './seek.ts'

/** A process of the same home answers within this time, if at all. */
const ANSWER_MS = 2000

/** The cursors of one log, read from their files, also while another process moves them. Made by `openCursors`. */
export interface Cursors {
  /** The cursors that have a position or are damaged, by name. */
  list(): Promise<readonly Cursor[]>
  /** Throws NodeError `BAD_OPTION` for an invalid name; `STORE_REFUSED` for a damaged cursor, which `list` includes. */
  get(name: string): Promise<Cursor>
  /** Releases the locks of the cursors that were moved. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the cursors of the log with this key in a home, or in the directory of a store. No store is opened. Throws ProtocolError
 * `BAD_KEY`.
 */
export function openCursors(
  directory: string,
  key: string,
  { fsync = true }: { readonly fsync?: boolean } = {}
): Cursors {
  const parsed = parseKey(key)
  const home = new Home(resolve(directory), fsync)
  const close = (): Promise<void> => home.close()
  return {
    list: () => listCursors(home, parsed),
    get: (name) => openCursor(home, parsed, name),
    close,
    [Symbol.asyncDispose]: close
  }
}

export interface KnownLengthOptions extends Pick<NodeOptions, 'rendezvous' | 'signal'> {
  /** As for `openLogNode`. */
  readonly home: string
  readonly key: string
}

/**
 * The number of lines of a log, as far as its store in this home knows: if another process has the store open, it is asked. No other
 * peer is. Null if it is unknown, as for a tutorial log.
 *
 * @throws as `openLogNode`.
 */
export async function knownLength(options: KnownLengthOptions): Promise<number | null> {
  const key = parseKey(options.key)
  const home = resolve(options.home)
  if (!(await hasStore(home, key))) return null
  return await lookAtLog(options, async (node) => {
    if (!node.isTemporary) return await storedLength(node, key)
    const reader = await openReader(node, key, { timeout: ANSWER_MS }).catch(() => null)
    return reader?.manifest.version === 1
      ? await reader.length({ timeout: ANSWER_MS }).catch(() => null)
      : null
  })
}

/**
 * The number of lines of a log, as far as the node's store knows; null if it is unknown, as for a tutorial log. Throws ProtocolError
 * `BAD_KEY`; NodeError `STORE_*`.
 */
export async function storedLength(node: Node, key: string): Promise<number | null> {
  const parsed = parseKey(key)
  const bootstrap = internalsOf(node).store.get({ key: keyToBytes(parsed) })
  try {
    await bootstrap.ready()
    const first = await bootstrap.get(0, { wait: false })
    if (first === null) return null
    const manifest = decodeManifest(first, parsed)
    return manifest.version === 1 ? await lastPosition(bootstrap, manifest, { wait: false }) : null
  } catch (error) {
    throw translate(error)
  } finally {
    await bootstrap.close().catch(ignore)
  }
}
