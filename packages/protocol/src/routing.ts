import b4a from 'b4a'
import { ProtocolError } from './errors.ts'
import { isCount, isJsonObject, isList, type JsonObject, quote } from './json.ts'
import { MAX_CORES, MAX_PREFIX_BYTES, MAX_PREFIXES_BYTES, MAX_SEPARATOR_BYTES } from './limits.ts'
import { murmur2 } from './murmur2.ts'

/** Core index = the number of `bounds` (ascending, in bytes) that are <= the line's length, terminator included. */
export interface ByteLengthRule {
  readonly rule: 'byte-length'
  readonly bounds: readonly number[]
}

/**
 * Kafka's default partitioner over the line's key. The key is the line without its terminator or, with both members given,
 * field `field` (from 1) of it, split at each `separator`; the key of a line with fewer fields is empty.
 */
export interface HashRule {
  readonly rule: 'hash'
  readonly cores: number
  readonly separator?: string
  readonly field?: number
}

/** Core index = the line's position modulo `cores`. */
export interface RoundRobinRule {
  readonly rule: 'round-robin'
  readonly cores: number
}

/** Core index = the first of `prefixes` that the line begins with, or `prefixes.length` if there is none. */
export interface PrefixRule {
  readonly rule: 'prefix'
  readonly prefixes: readonly string[]
}

/** The rules of version 1. The set is closed, so that no rule can make a reader run for long. */
export type RoutingRule = ByteLengthRule | HashRule | RoundRobinRule | PrefixRule

/** Returns the core index of the line `bytes[start, end)`, terminator included, at `position`. */
export type Router = (bytes: Uint8Array, position: number, start?: number, end?: number) => number

/** The rule of the tutorial: lines of fewer than 5 bytes, terminator included, and the others. */
export const DEFAULT_RULE: RoutingRule = { rule: 'byte-length', bounds: [5] }

const NEWLINE = 0x0a

// JSON can spell a lone surrogate, which UTF-8 cannot: all of them would become the same bytes
const LONE_SURROGATE = /\p{Surrogate}/u

/** The routing function of `rule`: pure, and the same everywhere. */
export function createRouter(rule: RoutingRule): Router {
  switch (rule.rule) {
    case 'byte-length':
      return (bytes, _position, start = 0, end = bytes.byteLength) => countAtMost(rule.bounds, end - start)
    case 'hash':
      return hashRouter(rule)
    case 'round-robin':
      return (_bytes, position) => position % rule.cores
    case 'prefix':
      return prefixRouter(rule.prefixes)
  }
}

/** The number of data cores of a log with this rule. */
export function coreCount(rule: RoutingRule): number {
  switch (rule.rule) {
    case 'byte-length':
      return rule.bounds.length + 1
    case 'prefix':
      return rule.prefixes.length + 1
    case 'hash':
    case 'round-robin':
      return rule.cores
  }
}

/**
 * Decodes and checks a rule from JSON.
 *
 * @throws ProtocolError `BAD_RULE`
 */
export function decodeRule(value: unknown): RoutingRule {
  if (!isJsonObject(value)) throw badRule('a routing rule must be an object with the member "rule"')
  switch (value.rule) {
    case 'byte-length':
      return { rule: 'byte-length', bounds: decodeBounds(value.bounds) }
    case 'hash':
      return decodeHash(value)
    case 'round-robin':
      return { rule: 'round-robin', cores: decodeCores(value.cores) }
    case 'prefix':
      return { rule: 'prefix', prefixes: decodePrefixes(value.prefixes) }
    default:
      throw badRule(`unknown rule ${quote(value.rule)}; expected byte-length, hash, round-robin or prefix`)
  }
}

/**
 * Parses a rule as a command line names it: `byte-length:5[,…]`, `hash:N[,field=K,separator=S]`, `round-robin:N`,
 * `prefix:A[,B…]`. After a backslash, the next character is literal (`\,`), but `\t` is a tab. Inverse of `formatRule`.
 *
 * @throws ProtocolError `BAD_RULE`
 */
export function parseRule(text: string): RoutingRule {
  const colon = text.indexOf(':')
  const name = colon === -1 ? text : text.slice(0, colon)
  const values = colon === -1 ? [] : splitValues(text.slice(colon + 1))
  switch (name) {
    case 'byte-length':
      return decodeRule({ rule: name, bounds: values.map(parseNumber) })
    case 'hash':
      return decodeRule({ rule: name, cores: parseNumber(values[0]), ...parseField(values.slice(1)) })
    case 'round-robin':
      if (values.length > 1) throw badRule('round-robin takes one number; example: round-robin:4')
      return decodeRule({ rule: name, cores: parseNumber(values[0]) })
    case 'prefix':
      return decodeRule({ rule: name, prefixes: values })
    default:
      throw badRule(
        `unknown rule ${quote(name)}; expected byte-length:5, hash:N, round-robin:N or prefix:A,B`
      )
  }
}

/** The rule as text for a command line. Two rules are equal exactly if their texts are. */
export function formatRule(rule: RoutingRule): string {
  switch (rule.rule) {
    case 'byte-length':
      return `byte-length:${rule.bounds.join(',')}`
    case 'hash':
      return rule.separator === undefined
        ? `hash:${rule.cores}`
        : `hash:${rule.cores},field=${rule.field},separator=${escapeValue(rule.separator)}`
    case 'round-robin':
      return `round-robin:${rule.cores}`
    case 'prefix':
      return `prefix:${rule.prefixes.map(escapeValue).join(',')}`
  }
}

/** Default names for a rule's cores, unique: `short` and `long`, `part-0` …, or made from the prefixes. */
export function defaultNames(rule: RoutingRule): string[] {
  if (rule.rule === 'byte-length' && rule.bounds.length === 1) return ['short', 'long']
  if (rule.rule === 'byte-length') return [...rule.bounds.map((bound) => `under-${bound}`), 'rest']
  if (rule.rule === 'prefix') return uniqueNames([...rule.prefixes.map(slug), 'rest'])
  return Array.from({ length: rule.cores }, (_, index) => `part-${index}`)
}

/** The number of `bounds`, which ascend, that are <= `length`. */
function countAtMost(bounds: readonly number[], length: number): number {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((bounds[middle] as number) <= length) low = middle + 1
    else high = middle
  }
  return low
}

function hashRouter({ cores, separator, field = 1 }: HashRule): Router {
  const between = separator === undefined ? null : b4a.from(separator)
  return (bytes, _position, start = 0, end = bytes.byteLength) => {
    const stop = end > start && bytes[end - 1] === NEWLINE ? end - 1 : end
    if (between === null) return (murmur2(bytes, start, stop) & 0x7fffffff) % cores
    const key = fieldOf(bytes.subarray(start, stop), between, field)
    return (murmur2(key) & 0x7fffffff) % cores
  }
}

/** Field number `field` of `line`; empty if there are fewer. */
function fieldOf(line: Uint8Array, separator: Uint8Array, field: number): Uint8Array {
  let rest = line
  for (let number = 1; ; number++) {
    // indexOf of a Node Buffer is native: the worst separator and line cost 48 ms for 15 MiB
    const at = b4a.indexOf(rest, separator)
    if (number === field) return at === -1 ? rest : rest.subarray(0, at)
    if (at === -1) return rest.subarray(0, 0)
    rest = rest.subarray(at + separator.byteLength)
  }
}

interface TrieNode {
  /** The first prefix in the rule's order that ends here. */
  index: number
  readonly next: Map<number, TrieNode>
}

// A trie, not a list: 16,383 prefixes cost a reader at most 255 steps a line.
function prefixRouter(prefixes: readonly string[]): Router {
  const root: TrieNode = { index: prefixes.length, next: new Map() }
  for (const [index, prefix] of prefixes.entries()) insert(root, b4a.from(prefix), index)
  return (bytes, _position, start = 0, end = bytes.byteLength) => {
    let best = root.index
    let node = root
    for (let at = start; at < end; at++) {
      const next = node.next.get(bytes[at] as number)
      if (next === undefined) break
      if (next.index < best) best = next.index
      node = next
    }
    return best
  }
}

function insert(root: TrieNode, prefix: Uint8Array, index: number): void {
  let node = root
  for (const byte of prefix) {
    let next = node.next.get(byte)
    if (next === undefined) {
      next = { index: Number.POSITIVE_INFINITY, next: new Map() }
      node.next.set(byte, next)
    }
    node = next
  }
  node.index = Math.min(node.index, index)
}

function decodeBounds(value: unknown): number[] {
  let last = 0
  return decodeList(value, 'bounds', 'byte-length:5').map((bound) => {
    if (!isCount(bound) || bound === 0) throw badRule(`the bound ${quote(bound)} is not a length in bytes`)
    if (bound <= last) throw badRule(`the bounds must ascend: ${bound} follows ${last}`)
    last = bound
    return bound
  })
}

function decodeHash({ cores, separator, field }: JsonObject): HashRule {
  const rule = { rule: 'hash', cores: decodeCores(cores) } as const
  if (separator === undefined && field === undefined) return rule
  if (separator === undefined || field === undefined)
    throw badRule('hash takes "field" and "separator" together, or neither')
  if (!isCount(field) || field === 0) throw badRule(`the field ${quote(field)} is not a whole number from 1`)
  if (!isText(separator)) throw badRule('the separator of hash must be a text that is not empty')
  if (b4a.byteLength(separator) > MAX_SEPARATOR_BYTES) {
    throw badRule(`the separator of hash is longer than ${MAX_SEPARATOR_BYTES} bytes`)
  }
  return { ...rule, separator, field }
}

function decodeCores(value: unknown): number {
  if (isCount(value) && value >= 1 && value <= MAX_CORES) return value
  throw badRule(`the number of cores must be from 1 to ${MAX_CORES}, not ${quote(value)}`)
}

function decodePrefixes(value: unknown): string[] {
  let total = 0
  const prefixes = decodeList(value, 'prefixes', 'prefix:ERROR,WARN').map((prefix) => {
    if (!isText(prefix)) throw badRule(`the prefix ${quote(prefix)} is not a text, or is empty`)
    const length = b4a.byteLength(prefix)
    if (length > MAX_PREFIX_BYTES)
      throw badRule(`a prefix has ${length} bytes; at most ${MAX_PREFIX_BYTES} are allowed`)
    total += length
    return prefix
  })
  if (total > MAX_PREFIXES_BYTES)
    throw badRule(`the prefixes have ${total} bytes together; at most ${MAX_PREFIXES_BYTES} are allowed`)
  if (new Set(prefixes).size < prefixes.length) throw badRule('a prefix is a duplicate of another')
  return prefixes
}

/** A list for a rule with one core more than the list has entries. */
function decodeList(value: unknown, name: string, example: string): readonly unknown[] {
  if (!isList(value) || value.length === 0) throw badRule(`the rule needs ${name}; example: ${example}`)
  if (value.length < MAX_CORES) return value
  throw badRule(`the rule has ${value.length} ${name}; at most ${MAX_CORES - 1} are allowed`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !LONE_SURROGATE.test(value)
}

function parseField(members: readonly string[]): { field?: number; separator?: string } {
  if (members.length === 0) return {}
  const field = memberValue(members, 'field=')
  const separator = memberValue(members, 'separator=')
  if (separator === '' && members.includes(''))
    throw badRule("a comma as separator needs a backslash; example: 'hash:4,field=2,separator=\\,'")
  if (members.length !== 2 || field === undefined || separator === undefined)
    throw badRule('hash takes field and separator together; example: hash:4,field=1,separator=\\t')
  return { field: parseNumber(field), separator }
}

function memberValue(members: readonly string[], name: string): string | undefined {
  return members.find((member) => member.startsWith(name))?.slice(name.length)
}

function parseNumber(text: string | undefined): number {
  if (text !== undefined && /^\d+$/.test(text)) return Number(text)
  const fault = text === undefined ? 'a number is missing' : `${quote(text)} is not a number`
  throw badRule(`${fault}; examples: byte-length:5, hash:4, round-robin:4`)
}

function splitValues(text: string): string[] {
  const values = ['']
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === ',') values.push('')
    else values[values.length - 1] += character === '\\' ? unescaped(text[++at]) : character
  }
  return values
}

function unescaped(character: string | undefined): string {
  if (character === undefined) throw badRule('a rule cannot end with a single backslash')
  return character === 't' ? '\t' : character
}

function escapeValue(text: string): string {
  return text.replace(/[\\,]/g, '\\$&').replaceAll('\t', '\\t')
}

function slug(prefix: string): string {
  const name = prefix
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name.slice(0, 48) || 'prefix'
}

function uniqueNames(names: readonly string[]): string[] {
  // the last copy of each name that is taken: 16,383 equal names do not take as many steps squared
  const copies = new Map<string, number>()
  return names.map((name) => {
    let copy = copies.get(name) ?? 1
    let unique = name
    while (copies.has(unique)) unique = `${name}-${++copy}`
    copies.set(name, copy)
    copies.set(unique, 1)
    return unique
  })
}

function badRule(message: string): ProtocolError {
  return new ProtocolError('BAD_RULE', message)
}
