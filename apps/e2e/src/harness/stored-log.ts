import b4a from 'b4a'
import Corestore from 'corestore'

/** A log, read from a writer's store with plain Corestore and the wire format alone. */
export interface StoredLog {
  readonly manifest: StoredManifest
  readonly records: readonly StoredRecord[]
  /** The blocks of each data core. */
  readonly cores: readonly (readonly Buffer[])[]
}

export interface StoredManifest {
  readonly otherKeys: readonly string[]
  readonly routing: unknown
}

export interface StoredRecord {
  readonly seq: number
  readonly time: number
  readonly at: readonly (readonly [core: number, length: number, blocks: number])[]
  readonly order: readonly number[]
}

/** A line and the core that it is in. */
export interface StoredLine {
  readonly core: number
  readonly line: Buffer
}

const NEWLINE = 0x0a

/** Reads a store, which no program may have open. */
export async function readStore(directory: string): Promise<StoredLog> {
  const store = new Corestore(directory)
  try {
    const bootstrap = store.get({ name: 'core-1', valueEncoding: 'json' })
    await bootstrap.ready()
    const [manifest, ...records] = await Promise.all(
      Array.from({ length: bootstrap.length }, (_, index) => bootstrap.get(index))
    )
    const { otherKeys } = manifest as StoredManifest
    const cores = await Promise.all(otherKeys.map((key) => readBlocks(store, key)))
    return { manifest: manifest as StoredManifest, records: records as StoredRecord[], cores }
  } finally {
    await store.close()
  }
}

async function readBlocks(store: Corestore, key: string): Promise<Buffer[]> {
  const core = store.get({ key: b4a.from(key, 'hex') })
  await core.ready()
  return Promise.all(
    Array.from({ length: core.length }, async (_, index) => Buffer.from(await core.get(index)))
  )
}

/** The lines of one batch, in the order of its record. Throws if blocks and record have different numbers. */
export function* linesOfRecord({ at, order }: StoredRecord, { cores }: StoredLog): Generator<StoredLine> {
  const waiting = new Map(
    at.map(([core, length, blocks]) => [
      core,
      cores[core]?.slice(length, length + blocks).flatMap(splitBlock) ?? []
    ])
  )
  for (let run = 0; run < order.length; run += 2) {
    const [core = -1, count = 0] = order.slice(run, run + 2)
    const lines = waiting.get(core)?.splice(0, count) ?? []
    if (lines.length < count) throw new Error(`core ${core} has fewer lines than the record counts`)
    for (const line of lines) yield { core, line }
  }
  for (const [core, rest] of waiting)
    if (rest.length > 0)
      throw new Error(`core ${core} has ${rest.length} lines that the record does not count`)
}

/** The whole input of the log in a store. */
export async function readInput(directory: string): Promise<Buffer> {
  const log = await readStore(directory)
  return Buffer.concat(
    log.records.flatMap((record) => [...linesOfRecord(record, log)].map(({ line }) => line))
  )
}

/** The lines of a block. Each ends with a newline, or at the end of the block. */
export function splitBlock(block: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0; start < block.byteLength; ) {
    const newline = block.indexOf(NEWLINE, start)
    const end = newline === -1 ? block.byteLength : newline + 1
    lines.push(block.subarray(start, end))
    start = end
  }
  return lines
}
