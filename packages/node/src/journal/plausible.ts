import { endOfRecord, type JournalRecord, MAX_BATCH_LINES, ProtocolError } from '@many-cores/protocol'

/**
 * Whether a record can stand in block `index` of a journal: each record before it has a line at least, and as many as a batch may
 * have; and each block before it has a line. What is entered in its midst is not checked by the records before it.
 *
 * @throws ProtocolError `BAD_RECORD`
 */
export function checkPlace(record: JournalRecord, index: number): void {
  const { seq, at } = record
  const before = index - 1
  if (seq < before || seq > before * MAX_BATCH_LINES)
    throw badRecord(`it begins at position ${seq}, but ${before} records come before it`)
  for (const [core, length] of at)
    if (length > seq)
      throw badRecord(`core ${core} has ${length} blocks before it, but there are ${seq} lines before it`)
}

/** Records that were read here and there, which must be able to lie in one journal. */
export class KnownRecords {
  readonly #records = new Map<number, JournalRecord>()

  /** Throws ProtocolError `BAD_RECORD` where the record of block `index` contradicts one that was added before. */
  add(index: number, record: JournalRecord): void {
    for (const [other, known] of this.#records) {
      if (other < index) checkOrder({ index: other, record: known }, { index, record })
      if (other > index) checkOrder({ index, record }, { index: other, record: known })
    }
    this.#records.set(index, record)
  }
}

interface Placed {
  readonly index: number
  readonly record: JournalRecord
}

function checkOrder(earlier: Placed, later: Placed): void {
  const between = later.index - earlier.index - 1
  const end = endOfRecord(earlier.record)
  if (later.record.seq < end + between)
    throw badRecord(
      `block ${earlier.index} ends at position ${end}, and block ${later.index} begins at ${later.record.seq}`
    )
  if (later.record.time < earlier.record.time)
    throw badRecord(
      `block ${earlier.index} is of ${earlier.record.time}, and block ${later.index} of ${later.record.time}`
    )
}

function badRecord(fault: string): ProtocolError {
  return new ProtocolError('BAD_RECORD', `invalid journal record: ${fault}`)
}
