import { defaultStorage, type RunContext, reportTo, resolvePath } from '@many-cores/cli'
import { type Node, openNode } from '@many-cores/node'

/** What the common options say about the node. */
export interface NodeValues {
  readonly storage: string | undefined
  readonly bootstrap: readonly string[]
  readonly local: boolean
}

/** The reader's node, as its common options want it. */
export function openReaderNode(values: NodeValues, { env, signal, status }: RunContext): Promise<Node> {
  const { storage, bootstrap, local } = values
  return openNode({
    storage: storage === undefined ? defaultStorage('reader', env) : resolvePath(storage, env),
    bootstrap,
    local,
    onStatus: reportTo(status),
    signal
  })
}
