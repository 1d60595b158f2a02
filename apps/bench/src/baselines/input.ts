const NEWLINE = 0x0a

/** The lines of a byte stream, `count` at a time, copying only what stands across two chunks. The last batch may have fewer. */
export async function* lineBatches(
  source: AsyncIterable<Uint8Array>,
  count: number
): AsyncGenerator<Buffer[]> {
  let lines: Buffer[] = []
  let rest: Buffer[] = []
  for await (const bytes of source) {
    const chunk = asBuffer(bytes)
    let start = 0
    for (let end = chunk.indexOf(NEWLINE) + 1; end > 0; end = chunk.indexOf(NEWLINE, start) + 1) {
      const line = chunk.subarray(start, end)
      lines.push(rest.length === 0 ? line : Buffer.concat([...rest, line]))
      rest = []
      start = end
      if (lines.length < count) continue
      yield lines
      lines = []
    }
    if (start < chunk.byteLength) rest.push(chunk.subarray(start))
  }
  if (rest.length > 0) lines.push(Buffer.concat(rest))
  if (lines.length > 0) yield lines
}

/** A byte stream in blocks of `size`, `count` at a time. */
export async function* blockBatches(
  source: AsyncIterable<Uint8Array>,
  { size, count }: { readonly size: number; readonly count: number }
): AsyncGenerator<Buffer[]> {
  let blocks: Buffer[] = []
  let block = Buffer.allocUnsafeSlow(size)
  let filled = 0
  for await (const bytes of source) {
    const chunk = asBuffer(bytes)
    for (let at = 0; at < chunk.byteLength; ) {
      const copied = chunk.copy(block, filled, at)
      at += copied
      filled += copied
      if (filled < size) continue
      blocks.push(block)
      block = Buffer.allocUnsafeSlow(size)
      filled = 0
      if (blocks.length < count) continue
      yield blocks
      blocks = []
    }
  }
  if (filled > 0) blocks.push(block.subarray(0, filled))
  if (blocks.length > 0) yield blocks
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
