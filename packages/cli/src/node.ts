import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LogNodeOptions, Node } from '@many-cores/node'
import type { CommonOptions } from './common-options.ts'
import { networkOf } from './network-options.ts'
import type { OptionValues } from './option-table.ts'
import { defaultStorage, resolvePath } from './paths.ts'
import { reportTo } from './report.ts'
import type { RunContext } from './run.ts'

/** The values of the common options that configure a node. */
export interface NodeValues
  extends Omit<OptionValues<CommonOptions>, 'quiet' | 'verbose' | 'help' | 'version'> {
  /** Which of several stores. Default: none. */
  readonly name?: string | undefined
}

/** Opens a node that is configured by the common options: with a key, that of a reader of this log. */
export async function openProgramNode(
  values: NodeValues,
  context: RunContext,
  log: Pick<LogNodeOptions, 'key' | 'rebuild'> | null = null
): Promise<Node> {
  const { env, signal, status } = context
  const network = await networkOf(values, env)
  // loaded here: --help does not need it
  const { openLogNode, openNode } = await import('@many-cores/node')
  const storage = storageOf(values, context)
  const options = { fsync: values.fsync, ...network, onStatus: reportTo(status), signal }
  const node =
    log === null
      ? await openNode({ storage, ...options })
      : await openLogNode({ home: storage, ...log, ...options })
  status.detail(`public key of this peer: ${node.id}`)
  return node
}

/**
 * For commands that must not create what `--storage` names.
 *
 * @throws NodeError `NOT_FOUND`
 */
export async function checkStorage(values: NodeValues, context: RunContext): Promise<void> {
  const directory = storageOf(values, context)
  if (values.storage === undefined || existsSync(directory)) return
  const { NodeError } = await import('@many-cores/node')
  throw new NodeError('NOT_FOUND', `there is no store at ${directory}: check --storage`)
}

/**
 * The directory of a writer's store, or of a reader's stores. In the default directory, a writer without a name has the store `default`;
 * the directory that `--storage` names is the store itself.
 */
export function storageOf(
  { storage, name }: Pick<NodeValues, 'storage' | 'name'>,
  { env, status }: Pick<RunContext, 'env' | 'status'>
): string {
  if (storage !== undefined) return join(resolvePath(storage, env), name ?? '')
  const directory = defaultStorage(status.name, env)
  return status.name === 'writer' ? join(directory, name ?? 'default') : directory
}
