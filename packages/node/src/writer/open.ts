import { translate } from '../errors.ts'
import { type Internals, internalsOf } from '../internals.ts'
import type { Node } from '../node.ts'
import { checkOptions } from '../options.ts'
import { adopt } from '../recovery/adopt.ts'
import { storedPosition } from '../recovery/tail.ts'
import { LogWriter } from './log-writer.ts'
import { openLog } from './own-log.ts'
import { storeKey } from './stored-key.ts'
import type { Writer, WriterOptions } from './writer.ts'

/**
 * Opens the log of the node's store for writing, and creates it if there is none. From then on, peers can find it. A node has one
 * writer at a time.
 *
 * @throws NodeError `RULE_MISMATCH` if the log has another rule, names or framing than the options; `STORE_REFUSED` if other
 * software created the store, it is a copy, or it has lost block 0; `NOT_FOUND` if `adopt` finds no peer; `BAD_OPTION` if the node has a writer; `CLOSED`; ProtocolError `BAD_RULE`.
 */
export async function openWriter(node: Node, options: WriterOptions = {}): Promise<Writer> {
  checkOptions('WriterOptions', options)
  options.signal?.throwIfAborted()
  const internals = internalsOf(node)
  try {
    return await internals.children.open(async (closing) => {
      const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
      const writer = await openLogWriter(internals, { ...options, signal })
      await storeKey(node.storage, writer.key)
      return writer
    })
  } catch (error) {
    options.signal?.throwIfAborted()
    throw translate(error)
  }
}

async function openLogWriter(
  internals: Internals,
  options: WriterOptions & { readonly signal: AbortSignal }
): Promise<Writer> {
  const log = await openLog(internals, options)
  try {
    options.signal.throwIfAborted()
    await internals.join(log.bootstrap)
    if (options.adopt !== undefined) await adopt(log, internals, { ...options.adopt, signal: options.signal })
    return new LogWriter(log, internals, { length: await storedPosition(log), linger: options.linger ?? 0 })
  } catch (error) {
    await log.close()
    throw error
  }
}
