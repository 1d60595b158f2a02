import type { Node } from '@many-cores/node'
import type { CommonOptions } from './common-options.ts'
import { networkOf } from './network-options.ts'
import type { OptionValues } from './option-table.ts'
import { defaultStorage, resolvePath } from './paths.ts'
import { reportTo } from './report.ts'
import type { RunContext } from './run.ts'

/** What the common options say about the node of a program. */
export type NodeValues = Omit<OptionValues<CommonOptions>, 'quiet' | 'verbose' | 'help' | 'version'>

/** The node of a program, as its common options want it. */
export async function openProgramNode(values: NodeValues, context: RunContext): Promise<Node> {
  const { env, signal, status } = context
  const network = await networkOf(values, env)
  // loaded here: --help does not pay for it
  const { openNode } = await import('@many-cores/node')
  const node = await openNode({
    storage: storageOf(values, context),
    fsync: values.fsync,
    ...network,
    onStatus: reportTo(status),
    signal
  })
  status.detail(`this peer is ${node.id}`)
  return node
}

/** The directory of a program's store. */
export function storageOf({ storage }: Pick<NodeValues, 'storage'>, { env, status }: RunContext): string {
  return storage === undefined ? defaultStorage(status.name, env) : resolvePath(storage, env)
}
