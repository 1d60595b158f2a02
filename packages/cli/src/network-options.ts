import { readFile } from 'node:fs/promises'
import type { NodeOptions } from '@many-cores/node'
import { type CoreKey, parseKey } from '@many-cores/protocol'
import type { CommonOptions } from './common-options.ts'
import { UsageError } from './errors.ts'
import type { Environment, OptionValues } from './option-table.ts'
import { resolvePath } from './paths.ts'
import { messageOf } from './text.ts'

/** What the options say of networks and peers. */
export type NetworkValues = Pick<
  OptionValues<CommonOptions>,
  'bootstrap' | 'local' | 'lan' | 'relay' | 'allow' | 'allow-file' | 'max-peers'
>

/** Where a node of `openNode` finds its peers, and whom it lets in. */
export type NetworkChoice = Required<Pick<NodeOptions, 'bootstrap' | 'local' | 'lan'>> &
  Pick<NodeOptions, 'relay' | 'allow' | 'maxPeers'>

/**
 * The same for `openNode`; `--local` beats that `--lan` is the default.
 *
 * @throws UsageError for options that exclude each other, a file that cannot be read, or an address or a key that is none
 */
export async function networkOf(values: NetworkValues, env: Environment): Promise<NetworkChoice> {
  const { bootstrap, local, lan, relay, 'max-peers': maxPeers } = values
  if (local && (bootstrap.length > 0 || relay !== undefined))
    throw new UsageError('--local excludes --bootstrap and --relay: it uses no network')
  if (bootstrap.length > 0) {
    // loaded here: --help does not pay for it
    const { parseAddress } = await import('@many-cores/node')
    for (const address of bootstrap) checked('--bootstrap', () => parseAddress(address))
  }
  const allow = await allowedBy(values, env)
  return {
    bootstrap,
    local,
    lan: lan && !local,
    ...(relay !== undefined && { relay }),
    ...(allow !== null && { allow }),
    ...(maxPeers !== undefined && { maxPeers })
  }
}

/** Null: everybody. */
async function allowedBy(
  { allow, 'allow-file': file }: NetworkValues,
  env: Environment
): Promise<readonly CoreKey[] | null> {
  if (file === undefined) return allow.length === 0 ? null : allow
  const text = await readFile(resolvePath(file, env), 'utf8').catch((error: unknown) => {
    throw new UsageError(`--allow-file: ${messageOf(error)}`, { cause: error })
  })
  const keys = [...allow]
  for (const [index, line] of text.split('\n').entries()) {
    const [word = ''] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (word !== '') keys.push(checked(`--allow-file, line ${index + 1}`, () => parseKey(word)))
  }
  if (keys.length === 0) throw new UsageError('--allow-file names no key: nobody could connect')
  return keys
}

function checked<T>(where: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(`${where}: ${messageOf(error)}`, { cause: error })
  }
}
