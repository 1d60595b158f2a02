import { type NetworkValues, networkOf, type RunContext, reportTo } from '@many-cores/cli'
import { type Node, openNode } from '@many-cores/node'
import { storageOf } from './recover.ts'

/** What the common options say about the node. */
export interface NodeValues extends NetworkValues {
  readonly storage: string | undefined
  readonly fsync: boolean
}

/** The reader's node, as its common options want it. */
export async function openReaderNode(values: NodeValues, context: RunContext): Promise<Node> {
  const { env, signal, status } = context
  const node = await openNode({
    storage: storageOf(values.storage, context),
    fsync: values.fsync,
    ...(await networkOf(values, env)),
    onStatus: reportTo(status),
    signal
  })
  status.detail(`this peer is ${node.id}`)
  return node
}
