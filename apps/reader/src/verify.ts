import {
  type Command,
  checkStorage,
  commonOptions,
  defineCommand,
  openProgramNode,
  plural
} from '@many-cores/cli'
import type { Verification } from '@many-cores/node'
import { KEY } from './options.ts'

/** `reader verify KEY` */
export const verify: Command = defineCommand({
  options: {
    json: { type: 'boolean', help: 'Print one JSON object' },
    timeout: {
      type: 'number',
      value: 'SECONDS',
      default: 30,
      help: 'How long to look for the log, for a peer that knows its end, and for a block; 0: no limit'
    },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader verify [options] KEY',
    about:
      'Reads the whole log again, from this store and from peers, and checks that journal and cores agree without a gap, that every line is in the core that the rule selects, and that no core has blocks beyond the journal. Prints what was read. Exits with 5 at the first fault, with 6 if no peer has a block.'
  },
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    const { signal, status, print } = context
    const timeout = values.timeout * 1000
    await checkStorage(values, context)
    const { openLog } = await import('./open-log.ts')
    await using node = await openProgramNode(values, context, { key })
    if (node.isTemporary)
      status.note('another process uses the store: verifying what it and other peers send, not its files')
    await using reader = await openLog(node, key, { timeout, signal })
    status.state('verifying')
    const found = await reader.verify({
      timeout,
      signal,
      onProgress: (done) => status.progress({ done, unit: 'line' })
    })
    if (!found.reached) status.note('no peer answered: verified only the local data')
    const cores = reader.manifest.cores.length
    await print(`${values.json ? JSON.stringify({ ...found, cores }) : describe(found, cores)}\n`)
  }
})

function describe({ lines, bytes, batches, blocks }: Verification, cores: number): string {
  const content = `${lines} ${plural(lines, 'line')}, ${bytes} ${plural(bytes, 'byte')}`
  const units = `${batches} ${plural(batches, 'batch', 'batches')} in ${blocks} ${plural(blocks, 'block')}`
  return `verified ${content}: ${units} of ${cores} ${plural(cores, 'core')}`
}
