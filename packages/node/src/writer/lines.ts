import { lineEnds, MAX_LINE_BYTES, ProtocolError } from '@many-cores/protocol'
import b4a from 'b4a'

/** Whole lines back to back: line i is `bytes[ends[i - 1] ?? 0, ends[i])`. */
export interface Lines {
  readonly bytes: Uint8Array
  readonly ends: readonly number[]
}

const NEWLINE = 0x0a

/**
 * Cuts a byte stream into lines, after each 0x0A and at its end, a chunk's worth at a time. Holds back a copy of at most one line;
 * `takesRest` is asked at the end whether it is one without a terminator.
 *
 * @throws ProtocolError `LINE_TOO_LONG`, with the line's number, when a line has passed `MAX_LINE_BYTES`.
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
      // the held-back line alone: gluing it to the whole chunk would copy every byte once more
      yield oneLine([...rest, chunk.subarray(0, first)])
      count++
    }
    const from = held > 0 ? first : 0
    if (from < last) {
      const lines = manyLines(chunk.subarray(from, last))
      count += lines.ends.length
      yield lines
    }
    rest = last < chunk.byteLength ? [b4a.from(chunk.subarray(last))] : []
    held = chunk.byteLength - last
    if (held > MAX_LINE_BYTES) throw tooLong(count + 1)
  }
  if (held > 0 && takesRest()) yield oneLine(rest)
}

/** One line as it is, already checked. */
export function oneLine(parts: readonly Uint8Array[]): Lines {
  const [part] = parts
  const bytes = parts.length === 1 && part !== undefined ? part : b4a.concat([...parts])
  return { bytes, ends: [bytes.byteLength] }
}

function manyLines(bytes: Uint8Array): Lines {
  return { bytes, ends: lineEnds(bytes, 'newline') }
}

function tooLong(number: number): ProtocolError {
  return new ProtocolError(
    'LINE_TOO_LONG',
    `line ${number} of the input is longer than ${MAX_LINE_BYTES} bytes; nothing from it on is published`
  )
}
