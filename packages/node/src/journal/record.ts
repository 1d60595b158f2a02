import {
  decodeJournalRecord,
  type JournalRecord,
  type LogManifest,
  MAX_BATCH_LINES,
  ProtocolError
} from '@many-cores/protocol'

/** Decodes and checks block `index` of the journal. Throws ProtocolError that names the block. */
export function decodeRecord(block: Uint8Array, index: number, manifest: LogManifest): JournalRecord {
  return namingBlock(index, () => {
    const { cores, framing } = manifest
    const record = decodeJournalRecord(block, { cores: cores.length, framing })
    checkIndex(record, index)
    return record
  })
}

/** Returns the result of `check`. A ProtocolError that it throws is thrown with block `index` in its message. */
export function namingBlock<T>(index: number, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new ProtocolError(error.code, `block ${index} of core bootstrap: ${error.message}`, {
      cause: error
    })
  }
}

export function badRecord(fault: string): ProtocolError {
  return new ProtocolError('BAD_RECORD', `invalid journal record: ${fault}`)
}

/** Checks a record against its index alone: each record before it has 1 to MAX_BATCH_LINES lines, and each block a line. */
function checkIndex({ seq, at }: JournalRecord, index: number): void {
  const before = index - 1
  if (seq < before || seq > before * MAX_BATCH_LINES)
    throw badRecord(`it begins at position ${seq}, but ${before} records come before it`)
  for (const [core, length] of at)
    if (length > seq)
      throw badRecord(`core ${core} has ${length} blocks before it, but there are ${seq} lines before it`)
}
