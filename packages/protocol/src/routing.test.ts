import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import type { ProtocolErrorCode } from './errors.ts'
import {
  MAX_CORES,
  MAX_LINE_BYTES,
  MAX_PREFIX_BYTES,
  MAX_PREFIXES_BYTES,
  MAX_SEPARATOR_BYTES
} from './limits.ts'
import {
  coreCount,
  createRouter,
  DEFAULT_RULE,
  decodeRule,
  defaultNames,
  formatRule,
  parseRule,
  type RoutingRule
} from './routing.ts'
import {
  bytesOf,
  countLookups,
  countReads,
  nested,
  readGolden,
  refuses,
  type Spelled
} from './testing/golden.ts'

interface Golden {
  readonly cases: readonly {
    readonly note: string
    readonly rule: RoutingRule
    readonly lines: readonly (Spelled & { readonly position: number; readonly core: number })[]
  }[]
  readonly invalid: readonly {
    readonly note: string
    readonly rule: unknown
    readonly code: ProtocolErrorCode
  }[]
  readonly texts: {
    readonly canonical: readonly { readonly text: string; readonly rule: RoutingRule }[]
    readonly accepted: readonly { readonly text: string; readonly rule: RoutingRule }[]
    readonly invalid: readonly string[]
  }
}

const { cases, invalid, texts } = readGolden<Golden>('routing')

for (const { note, rule, lines } of cases) {
  test(`${rule.rule} routes: ${note}`, () => {
    const route = createRouter(decodeRule(rule))
    for (const { position, core, ...line } of lines) {
      const bytes = bytesOf(line)
      assert.equal(route(bytes, position), core, JSON.stringify(line))
      assert.ok(core < coreCount(rule))
    }
  })

  test(`${rule.rule} routes a line inside a block as it routes it alone: ${note}`, () => {
    const route = createRouter(rule)
    const parts = lines.map(bytesOf)
    const block = b4a.concat(parts)
    let start = 0
    for (const [index, { position, core }] of lines.entries()) {
      const end = start + (parts[index]?.byteLength ?? 0)
      assert.equal(route(block, position, start, end), core)
      start = end
    }
  })

  test(`${rule.rule} survives JSON and its text: ${note}`, () => {
    assert.deepEqual(decodeRule(rule), rule)
    assert.deepEqual(parseRule(formatRule(rule)), rule)
  })
}

for (const { note, rule, code } of invalid) {
  test(`a rule is refused with ${code}: ${note}: ${JSON.stringify(rule)?.slice(0, 80)}`, () => {
    refuses(code, () => decodeRule(rule))
  })
}

for (const { text, rule } of texts.canonical) {
  test(`${JSON.stringify(text)} is parsed as a rule, and formatted from it`, () => {
    assert.deepEqual(parseRule(text), rule)
    assert.equal(formatRule(rule), text)
  })
}

for (const { text, rule } of texts.accepted) {
  test(`${JSON.stringify(text)} is parsed as a rule`, () => {
    assert.deepEqual(parseRule(text), rule)
    assert.notEqual(formatRule(rule), text)
  })
}

for (const text of texts.invalid) {
  test(`the text ${JSON.stringify(text.slice(0, 60))} is refused with BAD_RULE`, () => {
    refuses('BAD_RULE', () => parseRule(text))
  })
}

test('a lone surrogate in a prefix or a separator is refused with BAD_RULE', () => {
  for (const half of ['\ud800', 'a\udc00', '\udc00\ud800', '🙂\ud83d']) {
    refuses('BAD_RULE', () => decodeRule({ rule: 'prefix', prefixes: [half] }))
    refuses('BAD_RULE', () => decodeRule({ rule: 'hash', cores: 2, separator: half, field: 1 }))
    refuses('BAD_RULE', () => parseRule(`prefix:${half}`))
  }
})

test('unknown members of a rule are ignored', () => {
  for (const { rule } of cases) {
    const expected = { ...rule }
    assert.deepEqual(decodeRule({ ...rule, hello: 'world' }), expected)
  }
})

test('the number of cores follows from the rule', () => {
  assert.equal(coreCount({ rule: 'byte-length', bounds: [5] }), 2)
  assert.equal(coreCount({ rule: 'byte-length', bounds: [1, 2, 3] }), 4)
  assert.equal(coreCount({ rule: 'hash', cores: 7 }), 7)
  assert.equal(coreCount({ rule: 'round-robin', cores: 1 }), 1)
  assert.equal(coreCount({ rule: 'prefix', prefixes: ['a', 'b'] }), 3)
})

test('the default rule is that of the tutorial', () => {
  assert.equal(formatRule(DEFAULT_RULE), 'byte-length:5')
  assert.deepEqual(defaultNames(DEFAULT_RULE), ['short', 'long'])
})

test('16,384 cores are allowed by every rule, one more is refused with BAD_RULE', () => {
  const numbers = Array.from({ length: MAX_CORES }, (_, index) => index + 1)
  const rules = (cores: number): readonly RoutingRule[] => [
    { rule: 'byte-length', bounds: numbers.slice(0, cores - 1) },
    { rule: 'hash', cores },
    { rule: 'round-robin', cores },
    { rule: 'prefix', prefixes: numbers.slice(0, cores - 1).map((number) => number.toString(36)) }
  ]
  for (const rule of rules(MAX_CORES)) assert.equal(coreCount(decodeRule(rule)), MAX_CORES)
  for (const rule of rules(MAX_CORES + 1)) refuses('BAD_RULE', () => decodeRule(rule))
})

test('a comma as separator is refused with the spelling that is accepted', () => {
  for (const text of ['hash:4,field=2,separator=,', 'hash:4,separator=,,field=2'])
    assert.throws(() => parseRule(text), /hash:4,field=2,separator=\\,/)
  assert.deepEqual(parseRule('hash:4,field=2,separator=\\,'), {
    rule: 'hash',
    cores: 4,
    field: 2,
    separator: ','
  })
})

test('a separator has at most 64 bytes', () => {
  for (const [separator, tooLong] of [
    ['x'.repeat(MAX_SEPARATOR_BYTES), 'x'.repeat(MAX_SEPARATOR_BYTES + 1)],
    ['é'.repeat(MAX_SEPARATOR_BYTES / 2), `${'é'.repeat(MAX_SEPARATOR_BYTES / 2)}x`]
  ]) {
    decodeRule({ rule: 'hash', cores: 2, separator, field: 1 })
    refuses('BAD_RULE', () => decodeRule({ rule: 'hash', cores: 2, separator: tooLong, field: 1 }))
  }
})

test('a prefix has at most 255 bytes, and all together 65,536', () => {
  const prefixes = Array.from({ length: 257 }, (_, index) => `${index}`.padStart(MAX_PREFIX_BYTES, 'x'))
  assert.equal(prefixes.join('').length, MAX_PREFIXES_BYTES - 1)
  decodeRule({ rule: 'prefix', prefixes: [...prefixes, 'y'] })
  refuses('BAD_RULE', () => decodeRule({ rule: 'prefix', prefixes: [...prefixes, 'yz'] }))
  refuses('BAD_RULE', () => decodeRule({ rule: 'prefix', prefixes: [...prefixes, 'é'] }))
  refuses('BAD_RULE', () => decodeRule({ rule: 'prefix', prefixes: ['x'.repeat(MAX_PREFIX_BYTES + 1)] }))
})

test('deeply nested lists are refused with BAD_RULE in every member', () => {
  const deep: unknown = JSON.parse(nested(100_000))
  const members = ['rule', 'bounds', 'cores', 'separator', 'field', 'prefixes']
  for (const rule of ['byte-length', 'hash', 'round-robin', 'prefix']) {
    refuses('BAD_RULE', () =>
      decodeRule({ rule, ...Object.fromEntries(members.map((name) => [name, deep])) })
    )
  }
  refuses('BAD_RULE', () => decodeRule({ rule: 'byte-length', bounds: [deep] }))
  refuses('BAD_RULE', () => decodeRule({ rule: 'prefix', prefixes: [deep] }))
})

test('a prefix rule reads no more of a line than its longest prefix and one byte, however many prefixes there are', () => {
  const prefixes = Array.from({ length: 255 }, (_, index) => 'x'.repeat(index + 1)).reverse()
  const route = createRouter(decodeRule({ rule: 'prefix', prefixes }))
  const line = countReads(b4a.alloc(100_000, 'x'))
  assert.equal(route(line.bytes, 0), 0)
  assert.ok(line.reads() <= MAX_PREFIX_BYTES + 1, `${line.reads()} reads`)
})

test('a hostile separator and line are not slow', () => {
  const half = 'x'.repeat(MAX_SEPARATOR_BYTES / 2 - 1)
  const hostile = ['x'.repeat(MAX_SEPARATOR_BYTES - 1), `${half}y${half}`, 'xy'.repeat(31), 'x']
  for (const start of hostile) {
    const rule = { rule: 'hash', cores: 4, separator: `${start}z`, field: 2 } as const
    const line = b4a.alloc(MAX_LINE_BYTES, start)
    const began = performance.now()
    createRouter(decodeRule(rule))(line, 0)
    // about 50 ms; far more if each byte is compared dozens of times
    assert.ok(performance.now() - began < 2000, start)
  }
})

test('a field is the one that splitting finds, for all separators of four letters and lines of ten', () => {
  const whole = createRouter({ rule: 'hash', cores: MAX_CORES })
  const all = allTexts(10).map((text) => ({ text, line: b4a.from(text) }))
  for (const separator of allTexts(4)) {
    const route = createRouter({ rule: 'hash', cores: MAX_CORES, separator, field: 2 })
    for (const { text, line } of all) {
      const key = text.split(separator)[1] ?? ''
      assert.equal(route(line, 0), whole(b4a.from(key), 0), `${text} by ${separator}`)
    }
  }
})

test('a field far beyond the end of a line is empty, and the search for it stops at the end', () => {
  const rule = { rule: 'hash', cores: 4, separator: 'x', field: Number.MAX_SAFE_INTEGER } as const
  const whole = createRouter({ rule: 'hash', cores: 4 })
  assert.equal(createRouter(decodeRule(rule))(b4a.alloc(10_000, 'x'), 0), whole(new Uint8Array(), 0))
})

test('a length is compared with at most 14 of 16,383 bounds', () => {
  let compared = 0
  const bounds = new Proxy(
    Array.from({ length: MAX_CORES - 1 }, (_, index) => index + 1),
    {
      get(target, member): unknown {
        if (typeof member === 'string' && Number(member) >= 0) compared++
        return Reflect.get(target, member)
      }
    }
  )
  const route = createRouter({ rule: 'byte-length', bounds })
  compared = 0
  assert.equal(route(new Uint8Array(9_999), 0), 9_999)
  assert.ok(compared <= 14, `${compared} comparisons`)
})

test('names follow the rule', () => {
  const names = (text: string): readonly string[] => defaultNames(parseRule(text))
  assert.deepEqual(names('byte-length:80'), ['short', 'long'])
  assert.deepEqual(names('byte-length:2,4'), ['under-2', 'under-4', 'rest'])
  assert.deepEqual(names('hash:3'), ['part-0', 'part-1', 'part-2'])
  assert.deepEqual(names('round-robin:2'), ['part-0', 'part-1'])
  assert.deepEqual(names('prefix:ERROR,[Warn] ,a.b_c-d09'), ['error', 'warn', 'a.b_c-d09', 'rest'])
  assert.deepEqual(names('prefix:a,A,rest,[a]'), ['a', 'a-2', 'rest', 'a-3', 'rest-2'])
})

test('names made from prefixes are legal and unique for any prefixes', () => {
  for (const prefixes of [
    [
      'a',
      'A',
      'a-',
      '-a',
      'a-2',
      'a-2-2',
      'A-2',
      'a 2',
      'á',
      '日',
      '-',
      ' ',
      '.',
      '..',
      'rest',
      'Rest',
      'rest-2'
    ],
    ['x'.repeat(255), `${'x'.repeat(48)}y`, 'X'.repeat(64), `${'x'.repeat(48)}-2`, `${'-'.repeat(80)}z`],
    ['\n', '\0', '\u001b[2J', '../x', 'a/b', 'K', 'İ', '__proto__', 'constructor'],
    Array.from({ length: 300 }, (_, index) => `${'long prefix '.repeat(10)}${index}`)
  ]) {
    assertNames(defaultNames(decodeRule({ rule: 'prefix', prefixes })), prefixes.length + 1)
  }
})

test('names of 16,383 prefixes that look the same take a few lookups each', () => {
  const prefixes = Array.from({ length: MAX_CORES - 1 }, (_, index) => String.fromCharCode(0x4e00 + index))
  const rule = decodeRule({ rule: 'prefix', prefixes })
  const lookups = countLookups(() => defaultNames(rule))
  assert.ok(lookups <= 5 * MAX_CORES, `${lookups} look-ups`)
  assertNames(defaultNames(rule), MAX_CORES)
})

/** All texts of this many of the letters a and b. */
function allTexts(length: number): string[] {
  return Array.from({ length: 2 ** length }, (_, number) =>
    number.toString(2).padStart(length, '0').replaceAll('0', 'a').replaceAll('1', 'b')
  )
}

function assertNames(names: readonly string[], count: number): void {
  assert.equal(names.length, count)
  assert.equal(new Set(names).size, count)
  for (const name of names) assert.match(name, /^[a-z0-9._-]{1,64}$/)
}
