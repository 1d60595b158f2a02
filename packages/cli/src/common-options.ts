import { type CoreKey, parseKey } from '@many-cores/protocol'
import type { BooleanOption, NumberOption, StringOption } from './option-table.ts'
import type { StatusLevel } from './status.ts'

/** Options that every program of ours has. A type, not an interface: an interface is no `OptionTable`. */
export type CommonOptions = {
  readonly storage: StringOption<string>
  readonly fsync: BooleanOption & { readonly default: true }
  readonly bootstrap: StringOption<string> & { readonly multiple: true }
  readonly relay: StringOption<CoreKey> & { readonly parse: (text: string) => CoreKey }
  readonly lan: BooleanOption & { readonly default: true }
  readonly local: BooleanOption
  readonly allow: CommonOptions['relay'] & { readonly multiple: true }
  readonly 'allow-file': StringOption<string>
  readonly 'max-peers': NumberOption & { readonly integer: true }
  readonly quiet: BooleanOption
  readonly verbose: BooleanOption
  readonly help: BooleanOption
  readonly version: BooleanOption
}

/** The common part of the option table of the program `name`, to be spread into its own. */
export function commonOptions(name: string): CommonOptions {
  return {
    storage: {
      type: 'string',
      value: 'DIR',
      help: 'Directory of the store',
      defaultHelp: `$XDG_DATA_HOME/many-cores/${name}, or ~/.local/share/many-cores/${name}`
    },
    fsync: {
      type: 'boolean',
      default: true,
      help: 'Sync to disk before anything is acknowledged, announced or remembered; without it a power cut can take the newest lines, and a log whose writer lost lines that a reader has may be lost'
    },
    bootstrap: {
      type: 'string',
      value: 'HOST:PORT',
      multiple: true,
      excludes: ['local'],
      help: 'Node of a private DHT, instead of the public one'
    },
    relay: {
      type: 'string',
      value: 'KEY',
      parse: parseKey,
      excludes: ['local'],
      help: 'Public key of a relay, for peers whose NATs let no direct connection come about'
    },
    lan: { type: 'boolean', default: true, help: 'Find peers in the same network by multicast DNS, too' },
    local: {
      type: 'boolean',
      excludes: ['bootstrap', 'relay'],
      help: 'Stay on this machine: no DHT and no multicast at all'
    },
    allow: {
      type: 'string',
      value: 'PUBLICKEY',
      multiple: true,
      parse: parseKey,
      help: `Connect only to the peer with this key, which \`reader id\` or \`writer id\` printed there`
    },
    'allow-file': {
      type: 'string',
      value: 'FILE',
      help: 'The same for each key that begins a line of FILE; # begins a comment'
    },
    'max-peers': {
      type: 'number',
      value: 'N',
      integer: true,
      min: 1,
      help: 'Connect to at most so many peers',
      defaultHelp: '128'
    },
    quiet: { type: 'boolean', short: 'q', help: 'Say nothing on standard error but errors' },
    verbose: { type: 'boolean', short: 'v', help: 'Say more on standard error, stacks of errors included' },
    // Without variables: a MANY_CORES_VERSION is more likely somebody's note of the version than a question for it.
    help: { type: 'boolean', short: 'h', env: false, help: 'Show this text' },
    version: { type: 'boolean', env: false, help: 'Show the version' }
  }
}

/** How much `createStatus` shall say; quiet beats verbose. */
export function levelOf({
  quiet,
  verbose
}: {
  readonly quiet: boolean
  readonly verbose: boolean
}): StatusLevel {
  if (quiet) return 'quiet'
  return verbose ? 'verbose' : 'normal'
}
