// Generators of the property tests: legal values, and values that only look legal.

import b4a from 'b4a'
import fc, { type Arbitrary } from 'fast-check'
import type { Framing } from '../framing.ts'
import type { JournalContext, JournalRecord } from '../journal.ts'
import { type CoreKey, KEY_BYTES, keyFromBytes } from '../key.ts'
import { MAX_CORES, MAX_PREFIX_BYTES, MAX_SEPARATOR_BYTES } from '../limits.ts'
import type { LogManifest } from '../manifest.ts'
import { coreCount, type HashRule, type PrefixRule, type RoutingRule } from '../routing.ts'

export const framings: Arbitrary<Framing> = fc.constantFrom('newline', 'none')

export const keys: Arbitrary<CoreKey> = fc
  .uint8Array({ minLength: KEY_BYTES, maxLength: KEY_BYTES })
  .map(keyFromBytes)

export const positions: Arbitrary<number> = fc.maxSafeNat()

/** Bytes that often hold newlines and the same few letters, so that separators and prefixes match. */
export const lines: Arbitrary<Uint8Array> = fc
  .array(fc.oneof(fc.constantFrom(0x0a, 0x61, 0x62, 0x2c), fc.nat(255)), { maxLength: 40 })
  .map((bytes) => b4a.from(bytes))

/** Texts for rules: of a few letters, or of any. */
const texts: Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', ',', '\\', 't', '\t', '='), minLength: 1, maxLength: 6 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
)

/** Rules with at most `cores` cores. */
export function rules(cores: number): Arbitrary<RoutingRule> {
  return fc.oneof(
    fc
      .uniqueArray(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2 ** 53 - 1 })), {
        minLength: 1,
        maxLength: cores - 1
      })
      .map((bounds) => ({ rule: 'byte-length' as const, bounds: bounds.sort((one, other) => one - other) })),
    fc.integer({ min: 1, max: cores }).map((count) => ({ rule: 'round-robin' as const, cores: count })),
    fc.integer({ min: 1, max: cores }).map((count) => ({ rule: 'hash' as const, cores: count })),
    fieldRules(cores),
    prefixRules(cores)
  )
}

function fieldRules(cores: number): Arbitrary<HashRule> {
  return fc
    .tuple(
      fc.integer({ min: 1, max: cores }),
      texts.filter((text) => b4a.byteLength(text) <= MAX_SEPARATOR_BYTES),
      fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2 ** 53 - 1 }))
    )
    .map(([count, separator, field]) => ({ rule: 'hash' as const, cores: count, separator, field }))
}

function prefixRules(cores: number): Arbitrary<PrefixRule> {
  return fc
    .uniqueArray(
      texts.filter((text) => b4a.byteLength(text) <= MAX_PREFIX_BYTES),
      { minLength: 1, maxLength: cores - 1 }
    )
    .map((prefixes) => ({ rule: 'prefix' as const, prefixes }))
}

const names: Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789._-'.split('')),
  minLength: 1,
  maxLength: 64
})

/** A manifest, and the key of its bootstrap core. */
export const manifests: Arbitrary<{ readonly manifest: LogManifest; readonly bootstrap: CoreKey }> = fc
  .record({ routing: rules(12), framing: framings })
  .chain(({ routing, framing }) => {
    const count = coreCount(routing)
    return fc
      .record({
        names: fc.uniqueArray(names, { minLength: count, maxLength: count }),
        keys: fc.uniqueArray(keys, { minLength: count + 1, maxLength: count + 1 })
      })
      .map(({ names, keys: [bootstrap, ...own] }) => ({
        manifest: {
          version: 1 as const,
          cores: names.map((name, index) => ({ name, key: own[index] as CoreKey })),
          routing,
          framing
        },
        bootstrap: bootstrap as CoreKey
      }))
  })

/** A record, and a log that it can belong to. */
export const records: Arbitrary<{ readonly record: JournalRecord; readonly context: JournalContext }> = fc
  .record({
    seq: fc.nat(2 ** 53 - 1 - 65_536),
    time: fc.maxSafeNat(),
    framing: framings,
    lengths: fc.uniqueArray(
      fc.record({ core: fc.nat(MAX_CORES - 1), length: fc.nat(2 ** 53 - 1 - 65_536), share: fc.nat(100) }),
      { selector: ({ core }) => core, minLength: 1, maxLength: 8 }
    ),
    runs: fc.array(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 1_000 })), { maxLength: 20 })
  })
  .map(({ seq, time, framing, lengths, runs }) => {
    // every core gets a line
    const order = [...lengths.keys()].flatMap((index) => [index, 1]).concat(runs.flat())
    for (let run = 0; run < order.length; run += 2)
      order[run] = lengths[(order[run] as number) % lengths.length]?.core as number
    const at = lengths
      .map(({ core, length, share }) => {
        const lines = countOf(core, order)
        return [
          core,
          length,
          framing === 'none' ? lines : 1 + Math.floor(((lines - 1) * share) / 100)
        ] as const
      })
      .sort(([one], [other]) => one - other)
    const cores = Math.max(...lengths.map(({ core }) => core)) + 1
    return { record: { seq, time, at, order }, context: { cores, framing } }
  })

function countOf(core: number, order: readonly number[]): number {
  let lines = 0
  for (let run = 0; run < order.length; run += 2) if (order[run] === core) lines += order[run + 1] as number
  return lines
}

const numbers = [0, -0, 1, -1, 0.5, 5, 65_536, 65_537, 2 ** 53 - 1, 2 ** 53, 1e300]
const strings = ['', '1', 'a', 'x'.repeat(64), '0'.repeat(64), '__proto__', 'none', 'newline', 'hash']
const others = [null, true, [], {}, [0], [0, 1], [[0, 0, 1]]]

/** A JSON value: legal for many members, or for none. */
const members: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...numbers, ...strings, ...others),
  fc.jsonValue({ maxDepth: 3 })
)

/** JSON like `samples`, with a few members replaced, added, removed or doubled. */
export function disfigured(samples: readonly unknown[]): Arbitrary<unknown> {
  const change = fc.record({
    where: fc.nat(1_000),
    how: fc.constantFrom('replace', 'remove', 'repeat'),
    by: members
  })
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([sample, changes]) => changes.reduce(disfigure, structuredClone(sample)))
}

interface Change {
  readonly where: number
  readonly how: string
  readonly by: unknown
}

function disfigure(value: unknown, { where, how, by: member }: Change): unknown {
  // a copy: a later change may be inside it, and the drawn value is used again
  const by = structuredClone(member)
  const slots = slotsIn(value)
  const slot = slots[where % (slots.length + 1)]
  if (slot === undefined) return by
  const { parent, name } = slot
  if (how === 'replace') Reflect.set(parent, name, by)
  else if (!Array.isArray(parent)) Reflect.deleteProperty(parent, name)
  else if (how === 'remove') parent.splice(Number(name), 1)
  else parent.push(structuredClone(parent[Number(name)]))
  return value
}

interface Slot {
  readonly parent: object
  readonly name: string
}

function slotsIn(value: unknown): Slot[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => [
    { parent: value, name },
    ...slotsIn(inner)
  ])
}

/** Bytes like `samples`, with a few replaced, added or removed. */
export function damaged(samples: readonly Uint8Array[]): Arbitrary<Uint8Array> {
  const edit = fc.record({
    where: fc.nat(100_000),
    removed: fc.nat(3),
    added: fc.uint8Array({ maxLength: 3 })
  })
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([sample, edits]) =>
      edits.reduce((bytes, { where, removed, added }) => {
        const at = where % (bytes.byteLength + 1)
        return b4a.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)])
      }, sample)
    )
}
