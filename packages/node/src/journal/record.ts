import {
  decodeJournalRecord,
  type JournalRecord,
  type LogManifest,
  ProtocolError
} from '@many-cores/protocol'
import { checkPlace } from './plausible.ts'

/** The record that is block `index`. Throws ProtocolError, saying which block. */
export function decodeRecord(block: Uint8Array, index: number, manifest: LogManifest): JournalRecord {
  const context = { cores: manifest.cores.length, framing: manifest.framing }
  return naming(index, () => {
    const record = decodeJournalRecord(block, context)
    checkPlace(record, index)
    return record
  })
}

/** What `check` returns; a ProtocolError that it throws names the journal's block `index`. */
export function naming<T>(index: number, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new ProtocolError(error.code, `block ${index} of core bootstrap: ${error.message}`, {
      cause: error
    })
  }
}
