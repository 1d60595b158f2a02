import { translate } from '../errors.ts'
import { type Internals, internalsOf } from '../internals.ts'
import type { Node } from '../node.ts'
import { healJournal } from '../recovery/compare.ts'
import { meetPeers } from '../recovery/meet.ts'
import { PATIENCE_MS } from '../recovery/resume.ts'
import { storedPosition } from '../recovery/tail.ts'
import { LogWriter } from './log-writer.ts'
import { openLog } from './own-log.ts'
import type { Writer, WriterOptions } from './writer.ts'

/**
 * Opens the log of the node's store for writing, and creates it where there is none. Peers can find it from then on. A node has
 * one writer at a time.
 *
 * @throws NodeError `RULE_MISMATCH` where the log has another rule, names or framing than asked for; `STORE_REFUSED` where
 * the store was made by other software or has lost block 0; `BAD_OPTION` where the node has a writer; `CLOSED`; ProtocolError
 * `BAD_RULE`.
 */
export async function openWriter(node: Node, options: WriterOptions = {}): Promise<Writer> {
  options.signal?.throwIfAborted()
  const internals = internalsOf(node)
  const giveBack = internals.takeLog()
  try {
    return await internals.children.adopt(async (closing) => {
      const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
      return await openLogWriter(internals, { ...options, signal, giveBack })
    })
  } catch (error) {
    giveBack()
    options.signal?.throwIfAborted()
    throw translate(error)
  }
}

async function openLogWriter(
  internals: Internals,
  options: WriterOptions & { readonly signal: AbortSignal; readonly giveBack: () => void }
): Promise<Writer> {
  const { isNew, join } = internals
  const { signal, giveBack } = options
  const log = await openLog(internals, {
    ...options,
    findManifest: async (bootstrap) => {
      if (isNew) return
      await meetPeers(bootstrap, internals, { patience: PATIENCE_MS, signal })
      await healJournal(bootstrap, 0, signal)
    }
  })
  try {
    signal.throwIfAborted()
    await join(log.bootstrap)
    return new LogWriter(log, internals, await storedPosition(log), giveBack)
  } catch (error) {
    await log.close()
    throw error
  }
}
