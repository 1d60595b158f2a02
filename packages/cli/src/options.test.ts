import assert from 'node:assert/strict'
import test from 'node:test'
import { commonOptions, levelOf } from './common-options.ts'
import { UsageError } from './errors.ts'
import type { Environment, OptionTable, OptionValues } from './option-table.ts'
import { parseOptions, positionalsOf } from './options.ts'

const TABLE = {
  ...commonOptions('reader'),
  from: { type: 'string', value: 'WHERE', help: 'h', default: 'stored', dashValue: true },
  until: { type: 'string', value: 'WHERE', help: 'h', parse: parseWhere },
  only: { type: 'string', value: 'NAME', help: 'h', multiple: true },
  timeout: { type: 'number', value: 'SECONDS', help: 'h', default: 30 },
  count: { type: 'number', value: 'N', help: 'h', integer: true },
  level: { type: 'number', value: 'N', help: 'h', min: 1, max: 9 },
  colour: { type: 'boolean', help: 'h', default: true },
  'dry-run': { type: 'boolean', help: 'h' }
} as const satisfies OptionTable
const KEY = { name: 'KEY', required: true, help: 'the writer prints it' } as const

function valuesOf(argv: readonly string[], env: Environment = {}): OptionValues<typeof TABLE> {
  const parsed = parseOptions(TABLE, { argv, env })
  assert.equal(parsed.asks, 'run')
  return parsed.values
}

function positionalOf(argv: readonly string[]): string {
  const parsed = parseOptions(TABLE, { argv, env: {}, positionals: KEY })
  assert.equal(parsed.asks, 'run')
  return parsed.positional
}

function refusal(argv: readonly string[], env: Environment = {}): string {
  return caught(() => parseOptions(TABLE, { argv, env }))
}

function caught(parse: () => unknown): string {
  let thrown: unknown
  try {
    parse()
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown instanceof UsageError, `expected a UsageError, got ${String(thrown)}`)
  return thrown.message
}

function parseWhere(text: string): { readonly position: number } {
  if (!/^\d+$/.test(text)) throw new RangeError(`invalid position '${text}':\nexpected a number`)
  return { position: Number(text) }
}

test('without arguments every option has its default', () => {
  assert.deepEqual(valuesOf([]), {
    storage: undefined,
    fsync: true,
    bootstrap: [],
    relay: undefined,
    lan: true,
    local: false,
    allow: [],
    'allow-file': undefined,
    'max-peers': undefined,
    quiet: false,
    verbose: false,
    help: false,
    version: false,
    from: 'stored',
    level: undefined,
    until: undefined,
    only: [],
    timeout: 30,
    count: undefined,
    colour: true,
    'dry-run': false
  })
})

test('values have the type that the table declares', () => {
  const { storage, until, only, timeout, count, local } = valuesOf([
    '--storage',
    'dir',
    '--until=7',
    '--only',
    'a',
    '--only',
    'b',
    '--timeout',
    '1.5',
    '--count=0',
    '--local'
  ])
  const typed: [
    string | undefined,
    number | undefined,
    readonly string[],
    number,
    number | undefined,
    boolean
  ] = [storage, until?.position, only, timeout, count, local]
  assert.deepEqual(typed, ['dir', 7, ['a', 'b'], 1.5, 0, true])
})

test('repeating an option that takes one value is a usage error', () => {
  assert.throws(() => valuesOf(['--storage', 'a', '--storage', 'b']), UsageError)
  assert.throws(() => valuesOf(['--timeout=1', '--timeout=1']), UsageError)
})

test('no message repeats a key from the command line', () => {
  const key = '71c9a40b'.repeat(8)
  for (const argv of [[key, key], ['--until', key], [`--${key}`], [key, `x=${key.slice(0, 50)}`]])
    assert.doesNotMatch(
      caught(() => parseOptions(TABLE, { argv, env: {}, positionals: KEY })),
      /71c9a40b/
    )
})

test('an option of another program is answered with ours', () => {
  const hints = { f: 'use --input', form: 'did you mean --from or --format?' }
  const answer = (argv: readonly string[]): string =>
    caught(() => parseOptions(TABLE, { argv, env: {}, hints }))
  assert.equal(answer(['-f', 'x']), 'unknown option -f; use --input')
  assert.equal(answer(['--form=x']), 'unknown option --form; did you mean --from or --format?')
  assert.equal(answer(['-x']), 'unknown option -x; see --help')
})

test('a word is found among the options, unless it is the value of one', () => {
  const words = (...argv: readonly string[]): readonly string[] =>
    positionalsOf(TABLE, argv).map(({ value }) => value)
  assert.deepEqual(words('-q', 'verify', '--from', 'start', 'KEY'), ['verify', 'KEY'])
  assert.deepEqual(words('--storage', 'verify', '--no-lan', 'KEY'), ['KEY'])
  assert.deepEqual(words('--unknown', 'verify', 'KEY'), ['KEY'])
})

test('an option on the command line overrides the variables of the options that it excludes', () => {
  const address = '127.0.0.1:1'
  const local = valuesOf(['--local'], { MANY_CORES_BOOTSTRAP: address })
  assert.deepEqual([local.local, local.bootstrap], [true, []])
  const elsewhere = valuesOf(['--bootstrap', address], { MANY_CORES_LOCAL: '1' })
  assert.deepEqual([elsewhere.local, elsewhere.bootstrap], [false, [address]])
  const { quiet, verbose } = valuesOf(['-v'], { MANY_CORES_QUIET: '1' })
  assert.deepEqual([quiet, verbose], [false, true])
  assert.deepEqual(valuesOf(['--no-local'], { MANY_CORES_BOOTSTRAP: address }).bootstrap, [address])
})

test('short options can be combined', () => {
  const { quiet, verbose } = valuesOf(['-qv'])
  assert.deepEqual([quiet, verbose], [true, true])
})

test('a switch can be turned off', () => {
  assert.equal(valuesOf(['--no-colour']).colour, false)
  assert.equal(valuesOf(['--local', '--no-local']).local, false)
  assert.equal(valuesOf(['--no-local', '--local']).local, true)
})

test('a value may be a dash and a digit if the table allows it', () => {
  assert.equal(valuesOf(['--from', '-10']).from, '-10')
  assert.equal(valuesOf(['--from=-10']).from, '-10')
  assert.match(refusal(['--storage', '-10']), /^--storage needs a value: '-10' looks like an option/)
  assert.equal(
    refusal(['--from', '-x']),
    "--from needs a value: '-x' looks like an option; if you mean it, write --from=…"
  )
})

test('a lone dash is a value', () => {
  assert.equal(valuesOf(['--storage', '-']).storage, '-')
})

test('-- ends the options', () => {
  assert.equal(positionalOf(['--local', '--', '--key']), '--key')
})

test('a required argument is text', () => {
  assert.equal(positionalOf(['--local', 'abc', '--quiet']), 'abc')
})

test('an optional argument may be missing', () => {
  const parsed = parseOptions(TABLE, { argv: [], env: {}, positionals: { name: 'KEY', required: false } })
  assert.equal(parsed.asks, 'run')
  assert.equal(parsed.positional, undefined)
})

test('help and version work even if other arguments are wrong', () => {
  assert.equal(
    parseOptions(TABLE, { argv: ['--help', '--strage', '--count=x'], env: {}, positionals: KEY }).asks,
    'help'
  )
  assert.equal(parseOptions(TABLE, { argv: ['-h'], env: {}, positionals: KEY }).asks, 'help')
  assert.equal(parseOptions(TABLE, { argv: ['--version'], env: { MANY_CORES_LOCAL: 'x' } }).asks, 'version')
})

test('a table without help rejects --help', () => {
  assert.equal(
    caught(() => parseOptions({}, { argv: ['--help'], env: {} })),
    'unknown option --help; see --help'
  )
})

test('an unknown option is named, with the closest known one', () => {
  assert.equal(refusal(['--strage']), 'unknown option --strage; did you mean --storage?')
  assert.equal(refusal(['--strage=dir']), 'unknown option --strage; did you mean --storage?')
  assert.equal(refusal(['--boot', 'x']), 'unknown option --boot; did you mean --bootstrap?')
  assert.equal(refusal(['--elephant']), 'unknown option --elephant; see --help')
  assert.equal(refusal(['-x']), 'unknown option -x; see --help')
  assert.equal(refusal(['--constructor']), 'unknown option --constructor; see --help')
  assert.equal(refusal(['--no-storage']), 'unknown option --no-storage; see --help')
})

test('a missing value is reported with its syntax', () => {
  assert.equal(refusal(['--storage']), '--storage needs a value: --storage DIR')
  assert.equal(refusal(['--storage=']), '--storage is empty: expected DIR')
  assert.equal(refusal(['--storage', '']), '--storage is empty: expected DIR')
})

test('an option is not parsed as the value of the previous one', () => {
  assert.equal(
    refusal(['--storage', '--local']),
    "--storage needs a value: '--local' looks like an option; if you mean it, write --storage=…"
  )
  assert.equal(valuesOf(['--storage=--local']).storage, '--local')
})

test('a value for a switch is refused', () => {
  assert.equal(refusal(['--local=yes']), '--local takes no value: use --local or --no-local')
})

test('invalid numbers are refused', () => {
  for (const text of ['abc', '-5', '1e3', '0x10', 'Infinity', '1.', '9'.repeat(400)]) {
    assert.match(
      refusal([`--timeout=${text}`]),
      /^--timeout: invalid SECONDS '.*': expected a number, at least 0$/
    )
  }
  for (const text of ['1.5', '9007199254740993']) {
    assert.equal(
      refusal([`--count=${text}`]),
      `--count: invalid N '${text}': expected a whole number, at least 0`
    )
  }
  for (const text of ['0', '9.1'])
    assert.equal(refusal([`--level=${text}`]), `--level: invalid N '${text}': expected a number, 1 to 9`)
  assert.equal(valuesOf(['--level=9']).level, 9)
})

test('the error of parse becomes the message, in one line', () => {
  assert.equal(refusal(['--until', 'x']), "--until: invalid position 'x': expected a number")
  assert.equal(
    refusal([], { MANY_CORES_UNTIL: 'x' }),
    "MANY_CORES_UNTIL: invalid position 'x': expected a number"
  )
})

test('an unexpected argument is named', () => {
  assert.equal(refusal(['abc']), "unexpected argument 'abc': expected options only")
  assert.equal(
    caught(() => positionalOf(['a', 'b'])),
    "unexpected argument 'b': expected one KEY"
  )
})

test('a missing or empty argument is reported', () => {
  assert.equal(
    caught(() => positionalOf([])),
    'KEY is missing: the writer prints it'
  )
  assert.equal(
    caught(() => positionalOf([''])),
    'KEY is empty: is a variable unset?'
  )
})

test('a variable sets an option, and a flag overrides it', () => {
  const env = {
    MANY_CORES_READER_STORAGE: ' dir ',
    MANY_CORES_TIMEOUT: '5',
    MANY_CORES_DRY_RUN: '1',
    MANY_CORES_FROM: '-10'
  }
  const { storage, timeout, 'dry-run': dryRun, from } = valuesOf([], env)
  assert.deepEqual([storage, timeout, dryRun, from], ['dir', 5, true, '-10'])
  const flags = valuesOf(['--storage=other', '--timeout=6', '--no-dry-run'], {
    ...env,
    MANY_CORES_TIMEOUT: 'nonsense'
  })
  assert.deepEqual([flags.storage, flags.timeout, flags['dry-run']], ['other', 6, false])
})

test('a variable for a list is separated by commas', () => {
  assert.deepEqual(valuesOf([], { MANY_CORES_ONLY: 'a, b,,' }).only, ['a', 'b'])
  assert.deepEqual(valuesOf(['--only=c'], { MANY_CORES_ONLY: 'a,b' }).only, ['c'])
})

test('a variable for a switch is 1 or 0, or one of their synonyms', () => {
  for (const text of ['1', 'true', 'YES', 'on'])
    assert.equal(valuesOf([], { MANY_CORES_LOCAL: text }).local, true)
  for (const text of ['0', 'false', 'no', 'Off'])
    assert.equal(valuesOf([], { MANY_CORES_COLOUR: text }).colour, false)
  assert.equal(valuesOf([], { MANY_CORES_COLOUR: '' }).colour, true)
  assert.equal(
    refusal([], { MANY_CORES_LOCAL: 'maybe' }),
    "MANY_CORES_LOCAL: invalid value 'maybe': expected 1 or 0 (also true, yes, on; false, no, off)"
  )
})

test('a bad number in the environment names the variable', () => {
  assert.equal(
    refusal([], { MANY_CORES_TIMEOUT: 'soon' }),
    "MANY_CORES_TIMEOUT: invalid SECONDS 'soon': expected a number, at least 0"
  )
})

test('help and version have no variable', () => {
  assert.equal(
    parseOptions(TABLE, { argv: [], env: { MANY_CORES_HELP: '1', MANY_CORES_VERSION: '2.0' } }).asks,
    'run'
  )
})

test('quiet wins over verbose', () => {
  assert.equal(levelOf({ quiet: false, verbose: false }), 'normal')
  assert.equal(levelOf({ quiet: false, verbose: true }), 'verbose')
  assert.equal(levelOf({ quiet: true, verbose: true }), 'quiet')
})

test('a variable can set a positional; an argument overrides it', () => {
  const positionals = { name: 'KEY', required: true, variable: 'MANY_CORES_KEY' } as const
  const read = (argv: readonly string[], env: Record<string, string>): string => {
    const parsed = parseOptions(TABLE, { argv, env, positionals })
    assert.equal(parsed.asks, 'run')
    return parsed.positional
  }
  assert.equal(read([], { MANY_CORES_KEY: 'secret' }), 'secret')
  assert.equal(read(['given'], { MANY_CORES_KEY: 'secret' }), 'given')
  assert.throws(() => read([], { MANY_CORES_KEY: ' ' }), { code: 'USAGE' })
})

test('each program has its own variable for the store', () => {
  const env = { MANY_CORES_WRITER_STORAGE: 'w', MANY_CORES_READER_STORAGE: 'r', MANY_CORES_STORAGE: 'x' }
  const storages = ['writer', 'reader'].map((name) => {
    const parsed = parseOptions(commonOptions(name), { argv: [], env })
    return parsed.asks === 'run' ? parsed.values.storage : undefined
  })
  assert.deepEqual(storages, ['w', 'r'])
})
