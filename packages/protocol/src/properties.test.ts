import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import fc from 'fast-check'
import { ProtocolError } from './errors.ts'
import { checkBlock, checkLine, type Framing, lineEnds } from './framing.ts'
import {
  createSuccession,
  decodeJournalRecord,
  encodeJournalRecord,
  type JournalContext,
  type JournalRecord,
  lineCount
} from './journal.ts'
import { type CoreKey, formatKey, keyFromBytes, keyToBytes, parseKey } from './key.ts'
import { MAX_BATCH_LINES, MAX_CORES } from './limits.ts'
import { type BootstrapManifest, decodeManifest, encodeManifest } from './manifest.ts'
import { murmur2 } from './murmur2.ts'
import {
  coreCount,
  createRouter,
  decodeRule,
  defaultNames,
  formatRule,
  parseRule,
  type RoutingRule
} from './routing.ts'
import {
  damaged,
  disfigured,
  framings,
  keys,
  lines,
  manifests,
  positions,
  records,
  rules
} from './testing/arbitrary.ts'
import { bytesOf, json, readGolden, refuses, type Spelled } from './testing/golden.ts'

// Each run draws the same values, so that a failure comes from a change. FUZZ_RUNS draws others, and more.
const { FUZZ_RUNS } = process.env
fc.configureGlobal(FUZZ_RUNS === undefined ? { numRuns: 200, seed: 1 } : { numRuns: Number(FUZZ_RUNS) })
assert.ok(FUZZ_RUNS === undefined || Number(FUZZ_RUNS) > 0, 'FUZZ_RUNS is a number of runs')

type GoldenBlocks = Readonly<
  Record<'canonical' | 'accepted' | 'invalid', readonly (Spelled & JournalContext)[]>
>

const manifestGolden = readGolden<GoldenBlocks & { readonly bootstrap: string }>('manifest')
const manifestBlocks = blocksOf(manifestGolden)
const manifestBootstrap = parseKey(manifestGolden.bootstrap)
const journalBlocks = blocksOf(readGolden<GoldenBlocks>('journal'))
const ruleValues = readGolden<{ readonly cases: readonly { readonly rule: unknown }[] }>('routing').cases.map(
  ({ rule }) => rule
)
const ruleTexts = readGolden<{
  readonly texts: { readonly canonical: readonly { readonly text: string }[] }
}>('routing').texts.canonical.map(({ text }) => b4a.from(text))

test('a key survives hex, z-base-32, bytes and each spelling', () => {
  check(keys, fc.boolean(), fc.boolean(), (key, upper, scheme) => {
    assert.equal(keyFromBytes(keyToBytes(key)), key)
    for (const encoding of ['hex', 'z32'] as const) {
      const text = (scheme ? 'pear://' : '') + formatKey(key, encoding)
      assert.equal(parseKey(upper ? text.toUpperCase() : text), key)
    }
  })
})

test('a rule survives its text and JSON', () => {
  check(rules(40), (rule) => {
    assert.deepEqual(parseRule(formatRule(rule)), rule)
    assert.deepEqual(decodeRule(JSON.parse(JSON.stringify(rule))), rule)
  })
})

test('two rules are equal exactly if their texts are', () => {
  check(rules(3), rules(3), (one, other) => {
    const same = JSON.stringify(decodeRule(one)) === JSON.stringify(decodeRule(other))
    assert.equal(formatRule(one) === formatRule(other), same)
  })
})

test('a manifest survives its bytes', () => {
  check(manifests, ({ manifest, bootstrap }) => {
    assert.deepEqual(decodeManifest(encodeManifest(manifest, bootstrap), bootstrap), manifest)
  })
})

test('a record survives its bytes', () => {
  check(records, ({ record, context }) => {
    assert.deepEqual(decodeJournalRecord(encodeJournalRecord(record), context), record)
  })
})

test('the default names of a rule are valid in every manifest', () => {
  check(manifests, ({ manifest, bootstrap }) => {
    const names = defaultNames(manifest.routing)
    const cores = manifest.cores.map(({ key }, index) => ({ key, name: names[index] ?? '' }))
    assert.equal(names.length, cores.length)
    encodeManifest({ ...manifest, cores }, bootstrap)
  })
})

test('parseKey returns a key that survives formatKey, or throws ProtocolError', () => {
  const near = fc.tuple(keys, fc.constantFrom('hex', 'z32'), fc.nat(63), fc.string({ maxLength: 3 }))
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    near.map(([key, encoding, at, part]) => splice(formatKey(key, encoding), at, part))
  )
  check(texts, (text) => {
    const key = settle(() => parseKey(text))
    if (key !== null)
      for (const encoding of ['hex', 'z32'] as const) assert.equal(parseKey(formatKey(key, encoding)), key)
  })
})

test('keyFromBytes accepts exactly 32 bytes, and throws ProtocolError for others', () => {
  check(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const key = settle(() => keyFromBytes(bytes))
    if (key !== null) assert.equal(b4a.compare(keyToBytes(key), bytes), 0)
    assert.equal(key === null, bytes.byteLength !== 32)
  })
})

test('parseRule returns a rule that survives formatRule, or throws ProtocolError', () => {
  const names = fc.constantFrom('byte-length:', 'hash:', 'round-robin:', 'prefix:', '')
  const values = fc.string({
    unit: fc.constantFrom(...'0123459,=\\\t ab'.split(''), 'field=', 'separator=', '\ud800')
  })
  const texts = fc.oneof(
    fc.tuple(names, fc.oneof(values, fc.string({ unit: 'binary' }))).map((parts) => parts.join('')),
    damaged(ruleTexts).map((bytes) => b4a.toString(bytes))
  )
  check(texts, (text) => assertRule(settle(() => parseRule(text))))
})

test('decodeRule returns a rule that it accepts again, or throws ProtocolError', () => {
  check(fc.oneof(fc.anything(), disfigured(ruleValues)), (value) =>
    assertRule(settle(() => decodeRule(value)))
  )
})

test('decodeManifest returns a manifest that survives its bytes, or throws ProtocolError', () => {
  check(hostile(manifestBlocks), (bytes) => {
    const manifest = settle(() => decodeManifest(bytes, manifestBootstrap))
    if (manifest === null) return
    const encoded = reencode(manifest, manifestBootstrap)
    const again = decodeManifest(encoded, manifestBootstrap)
    assert.equal(b4a.toString(reencode(again, manifestBootstrap)), b4a.toString(encoded))
  })
})

test('decodeJournalRecord returns a record that survives its bytes, or throws ProtocolError', () => {
  const contexts = fc.record({ cores: fc.constantFrom(1, 2, 3, 16_384), framing: framings })
  check(hostile(journalBlocks), contexts, (bytes, context) => {
    const record = settle(() => decodeJournalRecord(bytes, context))
    if (record === null) return
    assertRecord(record, context)
    const encoded = encodeJournalRecord(record)
    const again = decodeJournalRecord(encoded, context)
    assert.equal(b4a.toString(encodeJournalRecord(again)), b4a.toString(encoded))
  })
})

test('the lines of a block are all of its bytes, and each but the last has its terminator', () => {
  check(lines, framings, (block, framing) => {
    const parts = split(block, framing)
    assert.equal(b4a.compare(b4a.concat(parts), block), 0)
    for (const [index, line] of parts.entries()) {
      checkLine(line, framing)
      if (index < parts.length - 1) assert.equal(line.at(-1), 0x0a)
    }
    if (parts.length > 0) checkBlock(block, framing)
    else refuses('BAD_BLOCK', () => checkBlock(block, framing))
  })
})

test('lines packed back to back are split into the same lines', () => {
  const whole = lines.map((line) => b4a.concat([line.filter((byte) => byte !== 0x0a), b4a.from('\n')]))
  const last = lines.map((line) => line.filter((byte) => byte !== 0x0a))
  check(fc.array(whole), last, (packed, rest) => {
    const all = rest.byteLength === 0 ? packed : [...packed, rest]
    const parts = split(b4a.concat(all), 'newline')
    assert.deepEqual(parts.map(latin1), all.map(latin1))
  })
})

test('every line is routed to an existing core, the one that the specification names', () => {
  check(rules(12), lines, positions, (rule, line, position) => {
    const core = createRouter(rule)(line, position)
    assert.ok(Number.isInteger(core) && core >= 0 && core < coreCount(rule), `core ${core}`)
    assert.equal(core, coreInWords(rule, line, position))
  })
})

test('fields and prefixes are found in lines of two letters, alone and inside a block', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 })
  const short = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 7 })
  check(letters, short, fc.integer({ min: 1, max: 4 }), letters, (text, pattern, field, after) => {
    const line = b4a.from(text)
    const block = b4a.from(text + after)
    for (const rule of [
      { rule: 'hash', cores: 1_000, separator: pattern, field },
      { rule: 'prefix', prefixes: [`${pattern}a`, pattern] }
    ] as const) {
      assert.equal(createRouter(rule)(line, 0), coreInWords(rule, line, 0))
      assert.equal(createRouter(rule)(block, 0, 0, line.byteLength), coreInWords(rule, line, 0))
    }
  })
})

test('a line is routed to the same core alone and anywhere in a block', () => {
  check(rules(12), lines, lines, lines, positions, (rule, before, line, after, position) => {
    const block = b4a.concat([before, line, after])
    const start = before.byteLength
    const route = createRouter(rule)
    assert.equal(route(block, position, start, start + line.byteLength), route(line, position))
  })
})

test('a journal is a valid succession, and is not once a record is missing or occurs twice', () => {
  const batches = fc.array(records, { minLength: 3, maxLength: 6 })
  check(batches, fc.nat(), fc.boolean(), (drawn, where, twice) => {
    const journal = inSuccession(drawn.map(({ record }) => record))
    succeed(journal)
    const at = 1 + (where % (journal.length - 2))
    const changed = twice ? journal.toSpliced(at, 0, ...journal.slice(at, at + 1)) : journal.toSpliced(at, 1)
    refuses('BAD_RECORD', () => succeed(changed))
  })
})

/** Draws values, and reports those for which `predicate` throws. */
function check<Values extends [unknown, ...unknown[]]>(
  ...args: [
    ...drawn: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
    predicate: (...values: Values) => void
  ]
): void {
  fc.assert(fc.property<Values>(...args))
}

/** The result of `action`, or null if it throws ProtocolError. Any other error is a fault. */
function settle<Value>(action: () => Value): Value | null {
  try {
    return action()
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}

function blocksOf({ canonical, accepted, invalid }: GoldenBlocks): {
  readonly right: readonly Uint8Array[]
  readonly all: readonly Uint8Array[]
} {
  const right = [...canonical, ...accepted].map(bytesOf)
  return { right, all: [...right, ...invalid.map(bytesOf)] }
}

/** Any bytes, any JSON, and bytes close to a golden block. */
function hostile({ right, all }: ReturnType<typeof blocksOf>): fc.Arbitrary<Uint8Array> {
  const values = right.map((bytes): unknown => JSON.parse(b4a.toString(bytes)))
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array() },
    { weight: 1, arbitrary: fc.json().map((text) => b4a.from(text)) },
    { weight: 4, arbitrary: damaged(all) },
    { weight: 8, arbitrary: disfigured(values).map(json) }
  )
}

function assertRule(rule: RoutingRule | null): void {
  if (rule === null) return
  assert.deepEqual(parseRule(formatRule(rule)), rule)
  assert.deepEqual(decodeRule(JSON.parse(JSON.stringify(rule))), rule)
  assert.ok(coreCount(rule) >= 1 && coreCount(rule) <= MAX_CORES)
  assert.ok(createRouter(rule)(b4a.from('one\n'), 7) < coreCount(rule))
}

/** Asserts the specification's rules for a record, without regard to cost. */
function assertRecord({ seq, time, at, order }: JournalRecord, { cores, framing }: JournalContext): void {
  const touched = at.map(([core]) => core)
  assert.deepEqual(
    touched,
    [...new Set(touched)].sort((one, other) => one - other)
  )
  const runs = order.flatMap((core, index) =>
    index % 2 === 0 ? [[core, order[index + 1] ?? 0] as const] : []
  )
  for (const [core, lines] of runs) assert.ok(touched.includes(core) && lines >= 1)
  const total = (core?: number): number =>
    runs.reduce((sum, [own, lines]) => (core === undefined || own === core ? sum + lines : sum), 0)
  for (const [core, length, blocks] of at) {
    assert.ok(core < cores && length >= 0 && blocks >= 1)
    assert.ok(framing === 'none' ? blocks === total(core) : blocks <= total(core))
    assert.ok(Number.isSafeInteger(length + blocks))
  }
  assert.equal(order.length, 2 * runs.length)
  assert.ok(total() <= MAX_BATCH_LINES && Number.isSafeInteger(seq + total()) && seq >= 0 && time >= 0)
}

function reencode(manifest: BootstrapManifest, bootstrap: CoreKey): Uint8Array {
  if (manifest.version === 1) return encodeManifest(manifest, bootstrap)
  return json({ otherKeys: manifest.cores.map(({ key }) => key) })
}

function splice(text: string, at: number, part: string): string {
  return text.slice(0, at) + part + text.slice(at + part.length)
}

function split(block: Uint8Array, framing: Framing): Uint8Array[] {
  const ends = lineEnds(block, framing)
  return ends.map((end, index) => block.subarray(ends[index - 1] ?? 0, end))
}

/** The routing rules as the specification states them, without regard to cost. */
function coreInWords(rule: RoutingRule, line: Uint8Array, position: number): number {
  const bytes = latin1(line)
  switch (rule.rule) {
    case 'byte-length':
      return rule.bounds.filter((bound) => bound <= line.byteLength).length
    case 'round-robin':
      return Number(BigInt(position) % BigInt(rule.cores))
    case 'prefix':
      return [...rule.prefixes, ''].findIndex((prefix) => bytes.startsWith(latin1(b4a.from(prefix))))
    case 'hash': {
      const text = bytes.endsWith('\n') ? bytes.slice(0, -1) : bytes
      const { separator, field } = rule
      const key =
        separator === undefined || field === undefined
          ? text
          : (text.split(latin1(b4a.from(separator)))[field - 1] ?? '')
      return (murmur2(b4a.from(key, 'latin1')) & 0x7fffffff) % rule.cores
    }
  }
}

/** One character for each byte. */
function latin1(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'latin1')
}

/** The batches as a journal from its beginning. */
function inSuccession(batches: readonly JournalRecord[]): JournalRecord[] {
  const lengths = new Map<number, number>()
  let seq = 0
  let time = 0
  return batches.map((batch) => {
    const at = batch.at.map(([core, , blocks]) => {
      const length = lengths.get(core) ?? 0
      lengths.set(core, length + blocks)
      return [core, length, blocks] as const
    })
    const record = { ...batch, seq, time, at }
    seq += lineCount(record)
    time += batch.time % 2
    return record
  })
}

function succeed(journal: readonly JournalRecord[]): void {
  const next = createSuccession()
  for (const record of journal) next(record)
}
