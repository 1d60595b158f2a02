import { type CoreKey, decodeManifest, keyToBytes, parseKey } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import { type Internals, internalsOf } from '../internals.ts'
import { watchLog } from '../log-watch.ts'
import type { Node } from '../node.ts'
import { checkOptions } from '../options.ts'
import type { Wait } from '../waiting.ts'
import { LogReader } from './log-reader.ts'
import { createReadableLog } from './readable-log.ts'
import { DEFAULT_TIMEOUT_MS, type Reader, type ReaderOptions } from './reader.ts'

/**
 * Opens the log with this key (in any spelling), and waits for its block 0. From then on, the node serves the blocks of the
 * log that it stores.
 *
 * @throws ProtocolError `BAD_KEY`; `BAD_MANIFEST` or `UNKNOWN_VERSION` for a core that is not a log; NodeError `NOT_FOUND`
 * after `timeout`, with the reason.
 */
export async function openReader(node: Node, key: string, options: ReaderOptions = {}): Promise<Reader> {
  checkOptions('ReaderOptions', options)
  const { timeout = DEFAULT_TIMEOUT_MS, signal } = options
  const parsed = parseKey(key)
  signal?.throwIfAborted()
  const internals = internalsOf(node)
  return await internals.children.open((closing) => {
    const end = signal === undefined ? closing : AbortSignal.any([closing, signal])
    return openLogReader(internals, parsed, { timeout, signal: end })
  })
}

async function openLogReader(
  internals: Internals,
  parsed: CoreKey,
  { timeout, signal }: Wait
): Promise<Reader> {
  const bootstrap = internals.store.get({ key: keyToBytes(parsed) })
  internals.heads.addJournal(bootstrap.core)
  const abort = (): void => void bootstrap.close()
  let fault: NodeError | null = null
  const unwatch = watchLog(internals, { key: parsed, manifest: null }, (found, isOld) => {
    if (isOld) return
    fault = found
    abort()
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    await bootstrap.ready()
    signal.throwIfAborted()
    await internals.join(bootstrap)
    const manifest = decodeManifest(await firstBlock(bootstrap, timeout, internals), parsed)
    return new LogReader(createReadableLog(internals.store, parsed, bootstrap, manifest), internals)
  } catch (error) {
    await bootstrap.close()
    signal.throwIfAborted()
    throw fault ?? translate(error)
  } finally {
    unwatch()
    signal.removeEventListener('abort', abort)
  }
}

async function firstBlock(bootstrap: Hypercore, timeout: number, internals: Internals): Promise<Uint8Array> {
  try {
    return await bootstrap.get(0, { timeout })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'REQUEST_TIMEOUT')) throw error
    const why = whyNotFound(bootstrap, timeout, internals)
    // the tutorial's message, and the reason
    throw new NodeError('NOT_FOUND', `Could not connect to the writer peer: ${why}`, { cause: error })
  }
}

function whyNotFound(bootstrap: Hypercore, timeout: number, { peers, explainNoPeers }: Internals): string {
  const seconds = `after ${timeout / 1000} s`
  const count = peers.count()
  if (count === 0) return `${explainNoPeers()} (${seconds})`
  const refused = peers.whyRefused()
  // a peer that was called again has not refused again yet
  if (refused !== null && bootstrap.peers.length === 0) return `${refused.text} (${seconds})`
  const answered = count === 1 ? 'one peer answered' : `${count} peers answered`
  if (bootstrap.peers.length === 0)
    return `${answered}, but none has this log: is the key right? (${seconds})`
  const know = bootstrap.peers.length === 1 ? 'one knows' : `${bootstrap.peers.length} know`
  return `${answered} and ${know} the log, but no peer has its first block yet (${seconds})`
}
