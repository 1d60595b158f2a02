import {
  defaultStorage,
  type NetworkValues,
  networkOf,
  type RunContext,
  reportTo,
  resolvePath
} from '@many-cores/cli'
import { type Node, openNode } from '@many-cores/node'

/** What the common options say about the node. */
export interface NodeValues extends NetworkValues {
  readonly storage: string | undefined
  readonly fsync: boolean
}

/** The writer's node, as its common options want it. */
export async function openWriterNode(values: NodeValues, { env, signal, status }: RunContext): Promise<Node> {
  const { storage } = values
  const node = await openNode({
    storage: storage === undefined ? defaultStorage('writer', env) : resolvePath(storage, env),
    fsync: values.fsync,
    ...(await networkOf(values, env)),
    onStatus: reportTo(status),
    signal
  })
  status.detail(`this peer is ${node.id}`)
  return node
}
