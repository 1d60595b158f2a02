import { type NodeValues, openProgramNode, type RunContext } from '@many-cores/cli'
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
  if (!found.reached)
    status.note('nobody was there to be asked whether there is more than what is stored here')
  await print(`${describe(found, reader.manifest.cores.length)}\n`)
}

function describe({ lines, bytes, batches, blocks }: Verification, cores: number): string {
  return `verified ${lines} lines, ${bytes} bytes: ${batches} batches in ${blocks} blocks of ${cores} cores`
}
