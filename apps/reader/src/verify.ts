import { type NodeValues, openProgramNode, plural, type RunContext } from '@many-cores/cli'
import { openReader, type Verification } from '@many-cores/node'

/** Verifies the log of `key` and prints what was read. */
export async function verifyLog(
  key: string,
  values: NodeValues & { readonly timeout: number },
  context: RunContext
): Promise<void> {
  const { signal, status, print } = context
  await using node = await openProgramNode(values, context)
  const timeout = values.timeout * 1000
  await using reader = await openReader(node, key, { timeout, signal })
  status.state('verifying')
  const found = await reader.verify({
    timeout,
    signal,
    onProgress: (done) => status.progress({ done, unit: 'lines' })
  })
  if (!found.reached) status.note('no peer answered: verified only the local data')
  await print(`${describe(found, reader.manifest.cores.length)}\n`)
}

function describe({ lines, bytes, batches, blocks }: Verification, cores: number): string {
  const content = `${lines} ${plural(lines, 'line')}, ${bytes} ${plural(bytes, 'byte')}`
  const units = `${batches} ${plural(batches, 'batch', 'batches')} in ${blocks} ${plural(blocks, 'block')}`
  return `verified ${content}: ${units} of ${cores} ${plural(cores, 'core')}`
}
