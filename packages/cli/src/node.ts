import type { Node } from '@many-cores/node'
import type { CommonOptions } from './common-options.ts'
import { networkOf } from './network-options.ts'
import type { OptionValues } from './option-table.ts'
import { defaultStorage, resolvePath } from './paths.ts'
import { reportTo } from './report.ts'
import type { RunContext } from './run.ts'

/** The values of the common options that configure a node. */
export type NodeValues = Omit<OptionValues<CommonOptions>, 'quiet' | 'verbose' | 'help' | 'version'>

/** Opens a node that is configured by the common options. */
export async function openProgramNode(values: NodeValues, context: RunContext): Promise<Node> {
  const { env, signal, status } = context
  const network = await networkOf(values, env)
  // loaded here: --help does not need it
  const { openNode } = await import('@many-cores/node')
  const node = await openNode({
    storage: storageOf(values, context),
    fsync: values.fsync,
    ...network,
    onStatus: reportTo(status),
    signal
  })
  status.detail(`public key of this peer: ${node.id}`)
  return node
}

/** The directory of a program's store. */
export function storageOf({ storage }: Pick<NodeValues, 'storage'>, { env, status }: RunContext): string {
  return storage === undefined ? defaultStorage(status.name, env) : resolvePath(storage, env)
}
