import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import type { ProtocolErrorCode } from './errors.ts'
import { type CoreKey, keyFromBytes, parseKey } from './key.ts'
import { MAX_CORES, MAX_MANIFEST_BYTES, MAX_PREFIXES_BYTES } from './limits.ts'
import { type BootstrapManifest, decodeManifest, encodeManifest, type LogManifest } from './manifest.ts'
import { coreCount, defaultNames, type RoutingRule } from './routing.ts'
import { bytesOf, countLookups, json, nested, readGolden, refuses, type Spelled } from './testing/golden.ts'

interface Golden {
  readonly bootstrap: string
  readonly canonical: readonly (GoldenBlock & { readonly manifest: LogManifest })[]
  readonly accepted: readonly (GoldenBlock & { readonly manifest: BootstrapManifest })[]
  readonly invalid: readonly (GoldenBlock & { readonly code: ProtocolErrorCode })[]
}

interface GoldenBlock extends Spelled {
  readonly note: string
}

const golden = readGolden<Golden>('manifest')
const BOOTSTRAP = parseKey(golden.bootstrap)

for (const { note, manifest, ...block } of golden.canonical) {
  test(`a manifest is encoded to these bytes, and decoded from them: ${note}`, () => {
    assert.deepEqual(decodeManifest(bytesOf(block), BOOTSTRAP), manifest)
    assert.equal(b4a.toString(encodeManifest(manifest, BOOTSTRAP)), b4a.toString(bytesOf(block)))
  })
}

for (const { note, manifest, ...block } of golden.accepted) {
  test(`block 0 in another spelling is decoded: ${note}`, () => {
    assert.deepEqual(decodeManifest(bytesOf(block), BOOTSTRAP), manifest)
  })
}

for (const { note, code, ...block } of golden.invalid) {
  test(`block 0 is refused with ${code}: ${note}`, () => {
    refuses(code, () => decodeManifest(bytesOf(block), BOOTSTRAP))
  })
}

test('a manifest of 4 MiB is decoded, one byte more is refused with BAD_MANIFEST', () => {
  const bytes = b4a.alloc(MAX_MANIFEST_BYTES + 1, ' ')
  bytes.set(json({ otherKeys: [keyNumber(0)] }))
  assert.equal(decodeManifest(bytes.subarray(0, -1), BOOTSTRAP).cores.length, 1)
  refuses('BAD_MANIFEST', () => decodeManifest(bytes, BOOTSTRAP))
})

test('16,384 data cores are accepted, one more is refused with BAD_MANIFEST', () => {
  const otherKeys = Array.from({ length: MAX_CORES + 1 }, (_, index) => keyNumber(index))
  assert.equal(decodeManifest(json({ otherKeys: otherKeys.slice(1) }), BOOTSTRAP).cores.length, MAX_CORES)
  refuses('BAD_MANIFEST', () => decodeManifest(json({ otherKeys }), BOOTSTRAP))
})

test('the largest legal manifest fits in 4 MiB, and is decoded in a number of steps proportional to its cores', () => {
  const manifest = largestManifest()
  const bytes = encodeManifest(manifest, BOOTSTRAP)
  assert.ok(bytes.byteLength < MAX_MANIFEST_BYTES, `it has ${bytes.byteLength} bytes`)
  const lookups = countLookups(() => decodeManifest(bytes, BOOTSTRAP))
  assert.ok(lookups <= 4 * MAX_CORES, `${lookups} look-ups`)
  assert.deepEqual(decodeManifest(bytes, BOOTSTRAP), manifest)
})

test('deeply nested lists are refused in every member, in a short message', () => {
  const deep = nested(100_000)
  for (const [member, code] of [
    ['otherKeys', 'BAD_MANIFEST'],
    ['version', 'UNKNOWN_VERSION'],
    ['cores', 'BAD_MANIFEST'],
    ['routing', 'BAD_MANIFEST'],
    ['framing', 'BAD_MANIFEST']
  ] as const) {
    const text = b4a.toString(json({ ...wire(), [member]: '@' })).replace('"@"', deep)
    refuses(code, () => decodeManifest(b4a.from(text), BOOTSTRAP))
  }
})

test('the message about a long version or name does not repeat all of it', () => {
  const long = '\u001b[2J'.repeat(100_000)
  refuses('UNKNOWN_VERSION', () => decodeManifest(json({ ...wire(), version: long }), BOOTSTRAP))
  refuses('BAD_MANIFEST', () => decodeManifest(json({ ...wire(), cores: [{ name: long }] }), BOOTSTRAP))
})

test('the message about a bad rule in block 0 says what is wrong with the rule', () => {
  const bytes = json({ ...wire(), routing: { rule: 'round-robin', cores: 0 } })
  assert.throws(() => decodeManifest(bytes, BOOTSTRAP), { code: 'BAD_MANIFEST', message: /number of cores/ })
})

test('a manifest that a reader would refuse is not encoded', () => {
  const manifest = sample()
  const [first, second] = manifest.cores
  assert.ok(first && second)
  const faults: readonly Partial<LogManifest>[] = [
    { cores: [first] },
    { cores: [first, first] },
    { cores: [first, { ...second, name: first.name }] },
    { cores: [first, { ...second, name: 'No Name' }] },
    { cores: [first, { ...second, key: BOOTSTRAP }] },
    { routing: { rule: 'round-robin', cores: 3 } },
    { routing: { rule: 'prefix', prefixes: [''] } }
  ]
  encodeManifest(manifest, BOOTSTRAP)
  for (const fault of faults)
    refuses('BAD_MANIFEST', () => encodeManifest({ ...manifest, ...fault }, BOOTSTRAP))
})

test('the bootstrap key of one log may be a data core of another', () => {
  const bytes = json({ otherKeys: [BOOTSTRAP] })
  assert.equal(decodeManifest(bytes, keyNumber(0)).cores[0]?.key, BOOTSTRAP)
})

function keyNumber(index: number): CoreKey {
  const bytes = b4a.alloc(32, 0xee)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, index)
  return keyFromBytes(bytes)
}

function sample(): LogManifest {
  const cores = ['short', 'long'].map((name, index) => ({ name, key: keyNumber(index) }))
  return { version: 1, cores, routing: { rule: 'byte-length', bounds: [5] }, framing: 'newline' }
}

function wire(): object {
  return JSON.parse(b4a.toString(encodeManifest(sample(), BOOTSTRAP))) as object
}

/** The most cores, the longest names, and the prefixes that take the most bytes in JSON. */
function largestManifest(): LogManifest {
  const prefixes = Array.from({ length: MAX_CORES - 1 }, (_, index) => controls(index))
  const routing: RoutingRule = { rule: 'prefix', prefixes }
  assert.equal(prefixes.join('').length, MAX_PREFIXES_BYTES - 4)
  assert.equal(coreCount(routing), MAX_CORES)
  assert.equal(defaultNames(routing).length, MAX_CORES)
  const cores = Array.from({ length: MAX_CORES }, (_, index) => ({
    name: String(index).padStart(64, '_'),
    key: keyNumber(index)
  }))
  return { version: 1, cores, routing, framing: 'newline' }
}

/** Four characters that JSON spells with six bytes each, different for each index. */
function controls(index: number): string {
  const digits = [index >> 12, index >> 8, index >> 4, index].map((digit) => 0x0e + (digit & 0x0f))
  return String.fromCharCode(...digits)
}
