import { type CoreKey, parseKey } from '@many-cores/protocol'
import type { BooleanOption, NumberOption, OptionValues, StringOption } from './option-table.ts'
import type { StatusLevel } from './status.ts'

/** The options of every program. A type: an interface is not assignable to `OptionTable`. */
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

/** The common part of the option table of the program `name`: spread it into the program's table. */
export function commonOptions(name: string): CommonOptions {
  return {
    storage: {
      type: 'string',
      value: 'DIR',
      env: storageVariable(name),
      help: `Directory of the store; its variable is ${storageVariable(name)}`,
      defaultHelp: `$XDG_DATA_HOME/many-cores/${name}, or ~/.local/share/many-cores/${name}`
    },
    fsync: {
      type: 'boolean',
      default: true,
      help: 'Sync to disk before acknowledging anything. Without it: after a power cut the newest lines may be gone; if a reader already had them, the log forks and must be replaced'
    },
    bootstrap: {
      type: 'string',
      value: 'HOST:PORT',
      multiple: true,
      excludes: ['local'],
      help: 'Use the private DHT of this node instead of the public DHT'
    },
    relay: {
      type: 'string',
      value: 'KEY',
      parse: parseKey,
      excludes: ['local'],
      help: 'Public key of a relay, for peers whose NATs prevent direct connections'
    },
    lan: { type: 'boolean', default: true, help: 'Also find peers on the local network, by multicast DNS' },
    local: {
      type: 'boolean',
      excludes: ['bootstrap', 'relay'],
      help: 'Stay on this machine: no DHT, no multicast'
    },
    allow: {
      type: 'string',
      value: 'PUBLICKEY',
      multiple: true,
      parse: parseKey,
      help: 'Connect only to the peer with this key, which `reader id` or `writer id` prints there'
    },
    'allow-file': {
      type: 'string',
      value: 'FILE',
      help: 'Allow the key at the start of each line of FILE; # starts a comment'
    },
    'max-peers': {
      type: 'number',
      value: 'N',
      integer: true,
      min: 1,
      help: 'Connect to at most N peers',
      defaultHelp: '128'
    },
    quiet: { type: 'boolean', short: 'q', excludes: ['verbose'], help: 'Errors only' },
    verbose: {
      type: 'boolean',
      short: 'v',
      excludes: ['quiet'],
      help: 'Print more detail, including stack traces'
    },
    // without variables: MANY_CORES_VERSION is more likely set to a version than meant as a request
    help: { type: 'boolean', short: 'h', env: false, help: 'Show this help' },
    version: { type: 'boolean', env: false, help: 'Show the version' }
  }
}

/** Not shared by the programs: a reader cannot use the store of a writer. */
function storageVariable(name: string): string {
  return `MANY_CORES_${name.toUpperCase()}_STORAGE`
}

/** The status level of `--quiet` and `--verbose`; quiet wins. */
export function levelOf({
  quiet,
  verbose
}: Pick<OptionValues<CommonOptions>, 'quiet' | 'verbose'>): StatusLevel {
  if (quiet) return 'quiet'
  return verbose ? 'verbose' : 'normal'
}
