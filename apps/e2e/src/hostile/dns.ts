/** Encodes the parts of a DNS message, valid or not. */

export const PTR = 12
export const SRV = 33
export const TXT = 16

const HEADER_BYTES = 12
const CLASS = 1
const TTL_S = 120

/** The counts in the header of a message, which may differ from its content. */
export interface Counts {
  readonly questions?: number
  readonly answers?: number
  readonly others?: number
}

export function header({ questions = 0, answers = 0, others = 0 }: Counts): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  if (questions === 0) bytes.writeUInt16BE(0x8400, 2)
  for (const [index, count] of [questions, answers, others, others].entries())
    bytes.writeUInt16BE(count, 4 + 2 * index)
  return bytes
}

export function name(text: string): Buffer {
  const labels = text.split('.').map((label) => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([...labels.flat(), Buffer.alloc(1)])
}

/** A pointer to the name at `offset` in the message. */
export function pointer(offset: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(0xc000 + offset)
  return bytes
}

export function question(of: Buffer, type: number): Buffer {
  return Buffer.concat([of, numbers(type, CLASS)])
}

export function record(of: Buffer, type: number, data: Buffer): Buffer {
  const ttl = Buffer.alloc(4)
  ttl.writeUInt32BE(TTL_S)
  return Buffer.concat([of, numbers(type, CLASS), ttl, numbers(data.byteLength), data])
}

export function service(port: number, target: Buffer): Buffer {
  return Buffer.concat([numbers(0, 0, port), target])
}

export function texts(...all: readonly string[]): Buffer {
  return Buffer.concat(all.flatMap((text) => [Buffer.from([text.length]), Buffer.from(text)]))
}

function numbers(...all: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * all.length)
  for (const [index, number] of all.entries()) bytes.writeUInt16BE(number, 2 * index)
  return bytes
}
