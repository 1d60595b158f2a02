import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UsageError } from './errors.ts'
import { nearest } from './nearest.ts'
import type { Environment, Option, OptionTable, OptionValues } from './option-table.ts'
import { defaultValue, fromEnvironment, fromTexts } from './option-value.ts'
import { oneLine, quote } from './text.ts'

/** The single positional argument of a program. */
export interface Positional {
  /** Its name in `--help`: `KEY`. */
  readonly name: string
  readonly required: boolean
  /** Where to get it, for the message when it is missing. */
  readonly help?: string
  /** An environment variable to use instead: every user of a machine can see a program's arguments. */
  readonly variable?: string
  readonly parse?: (text: string) => unknown
}

/** The value of a positional: text, or the result of `parse`. */
export type PositionalValue<P extends Positional | undefined> =
  | (P extends { readonly parse: (text: string) => infer T } ? T : string)
  | (P extends { readonly required: true } ? never : undefined)

/** The sources of values: a flag overrides the environment, which overrides the default. */
export interface OptionSource<P extends Positional | undefined = Positional | undefined> {
  readonly argv: readonly string[]
  readonly env: Environment
  readonly positionals?: P
  /** What to use instead of an option that users of other programs expect, by its name: one letter, or a word; `argument`: instead of an argument. */
  readonly hints?: Readonly<Record<string, string>>
}

/** A request for help, for the version, or to run with these values. */
export type ParsedOptions<T extends OptionTable, P extends Positional | undefined> =
  | { readonly asks: 'help' }
  | { readonly asks: 'version' }
  | {
      readonly asks: 'run'
      readonly values: OptionValues<T>
      readonly positional: PositionalValue<P>
    }

type Given = Map<string, { readonly texts: string[]; on: boolean }>
type Token = NonNullable<ReturnType<typeof parseArgs<{ tokens: true; strict: false }>>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

/**
 * Parses the command line and the environment by one table. `--help` and `--version` work even if other arguments are wrong.
 *
 * @throws UsageError
 */
export function parseOptions<const T extends OptionTable, const P extends Positional | undefined = undefined>(
  table: T,
  { argv, env, positionals, hints = {} }: OptionSource<P>
): ParsedOptions<T, P> {
  const tokens = tokensOf(table, argv)
  const asks = tokens.find(isRequest)?.name
  if (asks !== undefined && Object.hasOwn(table, asks)) return { asks }

  const given: Given = new Map()
  for (const token of tokens) if (token.kind === 'option') addFlag(table, token, given, hints)
  const positional = parsePositional(tokens, positionals, { env, hints })
  const values: Record<string, unknown> = {}
  const excluded = new Set([...given].flatMap(([name, { on }]) => (on ? (table[name]?.excludes ?? []) : [])))
  for (const [name, option] of Object.entries(table))
    values[name] = resolveValue(option, name, given, excluded.has(name) ? {} : env)
  // resolveValue and OptionValues follow the same rules
  return { asks: 'run', values, positional } as ParsedOptions<T, P>
}

/** The arguments that are neither options nor their values. One after an unknown option may be its value. */
export function positionalsOf(
  table: OptionTable,
  argv: readonly string[]
): readonly { readonly index: number; readonly value: string }[] {
  let isAfterUnknown = false
  return tokensOf(table, argv).filter((token) => {
    if (token.kind === 'positional' && !isAfterUnknown) return true
    isAfterUnknown = token.kind === 'option' && knownName(table, token.name) === undefined
    return false
  }) as Extract<Token, { kind: 'positional' }>[]
}

function tokensOf(table: OptionTable, argv: readonly string[]): Token[] {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { type, short }] of Object.entries(table)) {
    options[name] = { type: type === 'boolean' ? 'boolean' : 'string', ...(short !== undefined && { short }) }
  }
  // not strict: its messages name no remedy, and it parses the -10 of `--from -10` as an option
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

function isRequest(token: Token): token is OptionToken & { name: 'help' | 'version' } {
  return token.kind === 'option' && (token.name === 'help' || token.name === 'version')
}

function addFlag(
  table: OptionTable,
  { name, rawName, value, inlineValue }: OptionToken,
  given: Given,
  hints: Readonly<Record<string, string>>
): void {
  const known = knownName(table, name)
  const option = known === undefined ? undefined : table[known]
  if (known === undefined || option === undefined) throw unknownOption(table, name, rawName, hints)

  const before = given.get(known)?.texts ?? []
  if (option.type === 'boolean') {
    if (value !== undefined)
      throw new UsageError(`--${known} takes no value: use --${known} or --no-${known}`)
    given.set(known, { texts: before, on: known === name })
    return
  }
  const flag = `--${known}`
  if (before.length > 0 && !(option.type === 'string' && option.multiple))
    throw new UsageError(`${flag} is given twice; it takes one value`)
  if (value === undefined) throw new UsageError(`${flag} needs a value: ${flag} ${option.value}`)
  if (!inlineValue && looksLikeOption(value, option)) {
    throw new UsageError(
      `${flag} needs a value: ${quote(value)} looks like an option; if you mean it, write ${flag}=…`
    )
  }
  given.set(known, { texts: [...before, value], on: true })
}

function looksLikeOption(value: string, option: Option): boolean {
  const mayBeDashed = option.type === 'string' && option.dashValue === true
  return /^-./.test(value) && !(mayBeDashed && /^-\d/.test(value))
}

/** The option that `name` sets, which may begin with `no-`. */
function knownName(table: OptionTable, name: string): string | undefined {
  if (Object.hasOwn(table, name)) return name
  const positive = name.startsWith('no-') ? name.slice(3) : ''
  return Object.hasOwn(table, positive) && table[positive]?.type === 'boolean' ? positive : undefined
}

function unknownOption(
  table: OptionTable,
  name: string,
  rawName: string,
  hints: Readonly<Record<string, string>>
): UsageError {
  const similar = rawName.startsWith('--') ? nearest(name, Object.keys(table)) : undefined
  const suggestion = similar === undefined ? 'see --help' : `did you mean --${similar}?`
  const remedy = Object.hasOwn(hints, name) ? hints[name] : suggestion
  return new UsageError(`unknown option ${oneLine(rawName)}; ${remedy}`)
}

function parsePositional(
  tokens: readonly Token[],
  positional: Positional | undefined,
  { env, hints }: { readonly env: Environment; readonly hints: Readonly<Record<string, string>> }
): unknown {
  const [word, second] = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  if (positional === undefined) {
    if (word !== undefined)
      throw new UsageError(`unexpected argument ${quote(word)}: ${hints.argument ?? 'expected options only'}`)
    return undefined
  }
  const { name, required, help, variable, parse = (text: string): string => text } = positional
  if (second !== undefined) throw new UsageError(`unexpected argument ${quote(second)}: expected one ${name}`)
  if (word === '') throw new UsageError(`${name} is empty: is a variable unset?`)
  const text = word ?? (variable === undefined ? '' : (env[variable]?.trim() ?? ''))
  if (text !== '') return parse(text)
  if (required) throw new UsageError(`${name} is missing${help === undefined ? '' : `: ${help}`}`)
  return undefined
}

function resolveValue(option: Option, name: string, given: Given, env: Environment): unknown {
  const flag = given.get(name)
  if (flag === undefined) return fromEnvironment(option, name, env) ?? defaultValue(option, name)
  return option.type === 'boolean' ? flag.on : fromTexts(option, `--${name}`, flag.texts)
}
