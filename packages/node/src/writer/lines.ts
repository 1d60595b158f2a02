import { lineEnds, MAX_LINE_BYTES, ProtocolError } from '@many-cores/protocol'
import b4a from 'b4a'

/** Whole lines back to back: line i is `bytes[ends[i - 1] ?? 0, ends[i])`. */
export interface Lines {
  readonly bytes: Uint8Array
  readonly ends: readonly number[]
}

const NEWLINE = 0x0a

/**
 * Splits a byte stream into lines, after each 0x0A and at its end, one chunk at a time. Keeps a copy of at most one incomplete line.
 * At the end, `takesRest` decides whether that is published as a line without a terminator.
 *
 * @throws ProtocolError `LINE_TOO_LONG`, with the line's number, as soon as a line is longer than `MAX_LINE_BYTES`.
 */
export async function* splitLines(
  source: AsyncIterable<Uint8Array>,
  takesRest: () => boolean
): AsyncGenerator<Lines> {
  let rest: Uint8Array[] = []
  let held = 0
  let count = 0
  for await (const chunk of source) {
    const first = chunk.indexOf(NEWLINE) + 1
    if (held + (first || chunk.byteLength) > MAX_LINE_BYTES) throw tooLong(count + 1)
    if (first === 0) {
      rest.push(b4a.from(chunk))
      held += chunk.byteLength
      continue
    }
    const last = chunk.lastIndexOf(NEWLINE) + 1
    if (held > 0) {
      // alone: joined with the whole chunk, every byte would be copied once more
      yield oneLine(b4a.concat([...rest, chunk.subarray(0, first)]))
      count++
    }
    const from = held > 0 ? first : 0
    if (from < last) {
      const bytes = chunk.subarray(from, last)
      const ends = lineEnds(bytes, 'newline')
      count += ends.length
      yield { bytes, ends }
    }
    rest = last < chunk.byteLength ? [b4a.from(chunk.subarray(last))] : []
    held = chunk.byteLength - last
    if (held > MAX_LINE_BYTES) throw tooLong(count + 1)
  }
  if (held > 0 && takesRest()) yield oneLine(b4a.concat(rest))
}

/** `bytes` as one line, unchecked. */
export function oneLine(bytes: Uint8Array): Lines {
  return { bytes, ends: [bytes.byteLength] }
}

function tooLong(number: number): ProtocolError {
  return new ProtocolError(
    'LINE_TOO_LONG',
    `line ${number} of the input is longer than ${MAX_LINE_BYTES} bytes. Earlier lines are published, nothing from this line on`
  )
}
