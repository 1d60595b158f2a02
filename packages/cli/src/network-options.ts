import { readFileSync } from 'node:fs'
import type { NodeOptions } from '@many-cores/node'
import { type CoreKey, parseKey } from '@many-cores/protocol'
import type { CommonOptions } from './common-options.ts'
import { parseLabelled, UsageError } from './errors.ts'
import type { Environment, OptionValues } from './option-table.ts'
import { resolvePath } from './paths.ts'

/** The values of the network options. */
export type NetworkValues = Pick<
  OptionValues<CommonOptions>,
  'bootstrap' | 'local' | 'lan' | 'relay' | 'allow' | 'allow-file' | 'max-peers'
>

/** The network options of `openNode`. */
export type NetworkChoice = Required<Pick<NodeOptions, 'bootstrap' | 'local' | 'lan'>> &
  Pick<NodeOptions, 'relay' | 'allow' | 'maxPeers'>

/**
 * Converts network options for `openNode`. `--local` turns off `lan`, which is on by default.
 *
 * @throws UsageError for options that cannot be combined, an unreadable file, or an invalid address or key
 */
export async function networkOf(values: NetworkValues, env: Environment): Promise<NetworkChoice> {
  const { bootstrap, local, lan, relay, 'max-peers': maxPeers } = values
  if (local && (bootstrap.length > 0 || relay !== undefined))
    throw new UsageError('--local cannot be combined with --bootstrap or --relay: it uses no network')
  if (bootstrap.length > 0) {
    // loaded here: --help does not need it
    const { parseAddress } = await import('@many-cores/node')
    for (const address of bootstrap) parseLabelled('--bootstrap', () => parseAddress(address))
  }
  const allow = allowedKeys(values, env)
  return {
    bootstrap,
    local,
    lan: lan && !local,
    ...(relay !== undefined && { relay }),
    ...(allow !== null && { allow }),
    ...(maxPeers !== undefined && { maxPeers })
  }
}

/** Null: every peer is allowed. */
function allowedKeys(
  { allow, 'allow-file': file }: NetworkValues,
  env: Environment
): readonly CoreKey[] | null {
  if (file === undefined) return allow.length === 0 ? null : allow
  const text = parseLabelled('--allow-file', () => readFileSync(resolvePath(file, env), 'utf8'))
  const keys = [...allow]
  for (const [index, line] of text.split('\n').entries()) {
    const [word = ''] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (word !== '') keys.push(parseLabelled(`--allow-file, line ${index + 1}`, () => parseKey(word)))
  }
  if (keys.length === 0) throw new UsageError('--allow-file contains no key: no peer could connect')
  return keys
}
