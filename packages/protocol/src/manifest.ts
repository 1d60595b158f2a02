import b4a from 'b4a'
import { ProtocolError } from './errors.ts'
import type { Framing } from './framing.ts'
import { decodeJsonObject, isJsonObject, isList, quote } from './json.ts'
import { type CoreKey, parseKey } from './key.ts'
import { MAX_CORES, MAX_MANIFEST_BYTES } from './limits.ts'
import { coreCount, decodeRule, type RoutingRule } from './routing.ts'

/** A core that holds the lines routed to it. */
export interface DataCore {
  /** 1 to 64 of `a-z 0-9 . _ -`, unique in its log. */
  readonly name: string
  readonly key: CoreKey
}

/** Block 0 of a version 1 log: routing result `i` is `cores[i]`. */
export interface LogManifest {
  readonly version: 1
  readonly cores: readonly DataCore[]
  readonly routing: RoutingRule
  readonly framing: Framing
}

/** Block 0 of a tutorial log: keys alone. Without a journal, it has no positions and no times. */
export interface TutorialManifest {
  readonly version: 0
  /** Named `core-2`, `core-3`, … as in the tutorial. */
  readonly cores: readonly DataCore[]
  readonly routing: null
  readonly framing: 'none'
}

/** Block 0 of a bootstrap core, decoded. */
export type BootstrapManifest = LogManifest | TutorialManifest

const HEX = /^[0-9a-f]{64}$/i
const NAME = /^[a-z0-9._-]{1,64}$/
const WHAT = 'block 0'

/**
 * Block 0 for a new log.
 *
 * @throws ProtocolError `BAD_MANIFEST` if a reader would refuse it.
 */
export function encodeManifest(manifest: LogManifest, bootstrap: CoreKey): Uint8Array {
  const bytes = b4a.from(
    JSON.stringify({
      otherKeys: manifest.cores.map((core) => core.key),
      version: manifest.version,
      cores: manifest.cores.map((core) => ({ name: core.name })),
      routing: manifest.routing,
      framing: manifest.framing
    })
  )
  decodeManifest(bytes, bootstrap)
  return bytes
}

/**
 * Decodes and checks block 0 of the core `bootstrap`.
 *
 * @throws ProtocolError `BAD_MANIFEST`, or `UNKNOWN_VERSION` for a version other than 1.
 */
export function decodeManifest(bytes: Uint8Array, bootstrap: CoreKey): BootstrapManifest {
  const { otherKeys, version, cores, routing, framing } = decodeJsonObject(bytes, {
    what: WHAT,
    code: 'BAD_MANIFEST',
    maxBytes: MAX_MANIFEST_BYTES
  })
  if (otherKeys === undefined) throw badManifest('it has no "otherKeys"')
  // before the other members: another version may define them otherwise
  if (version !== undefined && version !== 1) {
    throw new ProtocolError(
      'UNKNOWN_VERSION',
      `the log has version ${quote(version)}; a newer version of this software may read it`
    )
  }
  const keys = decodeKeys(otherKeys, bootstrap)
  if (version === undefined) return tutorialManifest(keys)
  const rule = decodeRouting(routing)
  if (coreCount(rule) !== keys.length) {
    throw badManifest(`its rule ${rule.rule} has ${coreCount(rule)} cores, but otherKeys has ${keys.length}`)
  }
  const names = decodeNames(cores, keys.length)
  return {
    version: 1,
    cores: keys.map((key, index) => ({ name: names[index] as string, key })),
    routing: rule,
    framing: decodeFraming(framing)
  }
}

function tutorialManifest(keys: readonly CoreKey[]): TutorialManifest {
  const cores = keys.map((key, index) => ({ name: `core-${index + 2}`, key }))
  return { version: 0, cores, routing: null, framing: 'none' }
}

function decodeKeys(value: unknown, bootstrap: CoreKey): CoreKey[] {
  if (!isList(value)) throw badManifest('its "otherKeys" is not a list')
  if (value.length === 0) throw badManifest('it names no data core')
  if (value.length > MAX_CORES)
    throw badManifest(`it names ${value.length} data cores; at most ${MAX_CORES} are allowed`)
  const keys = value.map(decodeKey)
  if (keys.includes(bootstrap)) throw badManifest('it names its own core as a data core')
  const twice = firstDuplicate(keys)
  if (twice !== -1) throw badManifest(`otherKeys[${twice}] is a duplicate`)
  return keys
}

function decodeKey(value: unknown, index: number): CoreKey {
  // parseKey accepts other spellings as well; block 0 does not
  if (typeof value === 'string' && HEX.test(value)) return parseKey(value)
  throw badManifest(`otherKeys[${index}] is not a key of 64 hex digits`)
}

function decodeRouting(value: unknown): RoutingRule {
  try {
    return decodeRule(value)
  } catch (cause) {
    throw badManifest(`its "routing" is invalid: ${(cause as ProtocolError).message}`, { cause })
  }
}

function decodeNames(value: unknown, count: number): string[] {
  if (!isList(value)) throw badManifest('it has no list "cores"')
  if (value.length !== count) throw badManifest(`it has ${count} otherKeys, but ${value.length} cores`)
  const names = value.map((core: unknown, index) => {
    if (isJsonObject(core) && typeof core.name === 'string' && NAME.test(core.name)) return core.name
    throw badManifest(`cores[${index}] has no valid name: 1 to 64 of a-z 0-9 . _ -`)
  })
  const twice = firstDuplicate(names)
  if (twice !== -1) throw badManifest(`two cores are named ${names[twice]}`)
  return names
}

function decodeFraming(value: unknown): Framing {
  if (value === 'newline' || value === 'none') return value
  throw badManifest('its "framing" is neither "newline" nor "none"')
}

function firstDuplicate(values: readonly string[]): number {
  const seen = new Set<string>()
  return values.findIndex((value) => seen.size === seen.add(value).size)
}

function badManifest(fault: string, options?: ErrorOptions): ProtocolError {
  return new ProtocolError('BAD_MANIFEST', `${WHAT} is not a bootstrap manifest: ${fault}`, options)
}
