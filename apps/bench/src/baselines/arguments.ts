import { parseArgs } from 'node:util'
import { blockBatches, lineBatches } from './input.ts'

/** The command line of a baseline. */
export interface Arguments {
  readonly storage: string
  /** What is one block, or one value. */
  readonly unit: Unit
  /** Exit at the end of standard input, or of the log. */
  readonly exit: boolean
  readonly bootstrap?: string | undefined
  readonly socket?: string | undefined
  /** A key to read, or a file to send. */
  readonly positional: string
}

/** `lines`: in batches of 1,024; `blocks`: of 64 KiB, whatever they contain; `line`: each line on its own, as it arrives. */
export type Unit = 'lines' | 'blocks' | 'line'

const BATCH_LINES = 1024
const BLOCK_BYTES = 65_536
/** 1 MiB a batch: larger ones are not faster. */
const BATCH_BLOCKS = 16

export function parseArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      storage: { type: 'string', default: '' },
      unit: { type: 'string', default: 'lines' },
      exit: { type: 'boolean', default: false },
      bootstrap: { type: 'string' },
      socket: { type: 'string' }
    }
  })
  return { ...values, unit: parseUnit(values.unit), positional: positionals[0] ?? '' }
}

function parseUnit(text: string): Unit {
  if (text === 'lines' || text === 'blocks' || text === 'line') return text
  throw new Error(`unknown unit ${text}`)
}

/** Standard input, in batches of what is one block or value. */
export function readBatches(unit: Unit): AsyncGenerator<Buffer[]> {
  const { stdin } = process
  if (unit === 'blocks') return blockBatches(stdin, { size: BLOCK_BYTES, count: BATCH_BLOCKS })
  return lineBatches(stdin, unit === 'line' ? 1 : BATCH_LINES)
}
