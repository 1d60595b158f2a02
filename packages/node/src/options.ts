import { NodeError } from './errors.ts'

/** Node fires a timer that is longer after 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What the value of an option must be. */
interface Kind {
  readonly expected: string
  readonly test: (value: unknown) => boolean
}

const isString = (value: unknown): boolean => typeof value === 'string'
const isListOfStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString)

const any: Kind = { expected: '', test: () => true }
const string: Kind = { expected: 'a string', test: isString }
const strings: Kind = { expected: 'an array of strings', test: isListOfStrings }
const boolean: Kind = { expected: 'true or false', test: (value) => typeof value === 'boolean' }
const ms: Kind = {
  expected: `a number of ms, 0 to ${MAX_TIMER_MS}`,
  test: (value) => Number.isFinite(value) && Number(value) >= 0 && Number(value) <= MAX_TIMER_MS
}
const callback: Kind = { expected: 'a function', test: (value) => typeof value === 'function' }
const object: Kind = { expected: 'an object', test: (value) => typeof value === 'object' && value !== null }
const abort: Kind = { expected: 'an AbortSignal', test: (value) => value instanceof AbortSignal }

type Kinds = Readonly<Record<string, Kind>>

const NETWORK: Kinds = {
  bootstrap: strings,
  local: boolean,
  lan: boolean,
  relay: string,
  allow: strings,
  rendezvous: string
}
const WAIT: Kinds = { timeout: ms, signal: abort }

type OptionsType =
  | 'NodeOptions'
  | 'WriterOptions'
  | 'ReaderOptions'
  | 'PublishOptions'
  | 'PublishStreamOptions'
  | 'AcknowledgedOptions'
  | 'FollowOptions'
  | 'AskOptions'
  | 'LocateOptions'
  | 'VerifyOptions'
  | 'DiagnosisOptions'

/** By the type that declares them. Values that are checked where they are used can be anything here. */
const OPTIONS: Readonly<Record<OptionsType, Kinds>> = {
  NodeOptions: {
    storage: string,
    fsync: boolean,
    ...NETWORK,
    maxPeers: any,
    onStatus: callback,
    signal: abort
  },
  WriterOptions: { routing: object, names: strings, framing: any, adopt: object, linger: ms, signal: abort },
  ReaderOptions: WAIT,
  PublishOptions: { checkpoint: object },
  PublishStreamOptions: { checkpoint: object, signal: abort },
  AcknowledgedOptions: { signal: abort },
  FollowOptions: { from: any, until: any, cores: strings, live: boolean, ...WAIT },
  AskOptions: WAIT,
  LocateOptions: { cores: strings, ...WAIT },
  VerifyOptions: { ...WAIT, onProgress: callback },
  DiagnosisOptions: { ...NETWORK, key: string, home: string, ...WAIT }
}

/**
 * Throws NodeError `BAD_OPTION` for an option that `type` does not have, which would otherwise have no effect, and for a value of
 * the wrong type. An option that is undefined is absent.
 */
export function checkOptions(type: OptionsType, options: object): void {
  if (!object.test(options)) throw new NodeError('BAD_OPTION', `invalid ${type}: expected an object`)
  const kinds = OPTIONS[type]
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined)
      throw new NodeError(
        'BAD_OPTION',
        `unknown option ${JSON.stringify(name)}: ${type} has ${Object.keys(kinds).join(', ')}`
      )
    if (value !== undefined && !kind.test(value))
      throw new NodeError('BAD_OPTION', `invalid option ${name}: expected ${kind.expected}`)
  }
}
