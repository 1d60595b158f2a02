import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UsageError } from './errors.ts'
import { nearest } from './nearest.ts'
import type { Environment, Option, OptionTable, OptionValues } from './option-table.ts'
import { defaultValue, fromEnvironment, fromTexts } from './option-value.ts'
import { oneLine, quote } from './text.ts'

/** The one argument beside the options that a program may take. */
export interface Positional {
  /** As in `--help`: `KEY`. */
  readonly name: string
  readonly required: boolean
  /** Said when it is missing: where one gets it. */
  readonly help?: string
  /** The environment variable that may have it instead: every user of a machine can see the arguments of a program. */
  readonly variable?: string
  readonly parse?: (text: string) => unknown
}

/** What a positional gives: its text, or what `parse` makes of it. */
export type Word<P extends Positional | undefined> =
  | (P extends { readonly parse: (text: string) => infer T } ? T : string)
  | (P extends { readonly required: true } ? never : undefined)

/** Where the values come from: a flag beats the environment, which beats the default. */
export interface OptionSource<P extends Positional | undefined = Positional | undefined> {
  /** Without node and the script. One leading `--` is dropped, as pnpm hands it on. */
  readonly argv: readonly string[]
  readonly env: Environment
  readonly positionals?: P
}

/** What was asked for: help, the version, or a run with these values. */
export type ParsedOptions<T extends OptionTable, P extends Positional | undefined> =
  | { readonly asks: 'help' }
  | { readonly asks: 'version' }
  | {
      readonly asks: 'run'
      readonly values: OptionValues<T>
      readonly positional: Word<P>
    }

type Given = Map<string, { readonly texts: string[]; on: boolean }>
type Token = NonNullable<ReturnType<typeof parseArgs<{ tokens: true; strict: false }>>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

/**
 * Reads the command line and the environment by one table. `--help` and `--version` beat whatever else is wrong.
 *
 * @throws UsageError
 */
export function parseOptions<const T extends OptionTable, const P extends Positional | undefined = undefined>(
  table: T,
  { argv, env, positionals }: OptionSource<P>
): ParsedOptions<T, P> {
  const tokens = tokensOf(table, argv)
  const asks = tokens.find(isQuestion)?.name
  if (asks !== undefined && Object.hasOwn(table, asks)) return { asks }

  const given: Given = new Map()
  for (const token of tokens) if (token.kind === 'option') take(table, token, given)
  const positional = onlyWord(tokens, positionals, env)
  const values: Record<string, unknown> = {}
  const beaten = new Set([...given].flatMap(([name, { on }]) => (on ? (table[name]?.excludes ?? []) : [])))
  for (const [name, option] of Object.entries(table))
    values[name] = settle(option, name, given, beaten.has(name) ? {} : env)
  // The one place where the table's types and its values meet: settle and OptionValues follow the same rules
  return { asks: 'run', values, positional } as ParsedOptions<T, P>
}

function tokensOf(table: OptionTable, argv: readonly string[]): Token[] {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { type, short }] of Object.entries(table)) {
    options[name] = { type: type === 'boolean' ? 'boolean' : 'string', ...(short !== undefined && { short }) }
  }
  const args = argv[0] === '--' ? argv.slice(1) : [...argv]
  // Not strict: its messages name no remedy, and it takes the -10 of `--from -10` for an option. The tokens are judged below.
  return parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true }).tokens
}

function isQuestion(token: Token): token is OptionToken & { name: 'help' | 'version' } {
  return token.kind === 'option' && (token.name === 'help' || token.name === 'version')
}

function take(table: OptionTable, { name, rawName, value, inlineValue }: OptionToken, given: Given): void {
  const known = Object.hasOwn(table, name) ? name : switchedOff(table, name)
  const option = known === undefined ? undefined : table[known]
  if (known === undefined || option === undefined) throw unknownOption(table, name, rawName)

  const before = given.get(known)?.texts ?? []
  if (option.type === 'boolean') {
    if (value !== undefined) {
      throw new UsageError(`--${known} takes no value; write --${known} or --no-${known}`)
    }
    given.set(known, { texts: before, on: known === name })
    return
  }
  const flag = `--${known}`
  if (before.length > 0 && !(option.type === 'string' && option.multiple))
    throw new UsageError(`${flag} was given twice; it takes one value`)
  if (value === undefined) throw new UsageError(`${flag} needs a value: ${flag} ${option.value}`)
  if (!inlineValue && looksLikeOption(value, option)) {
    const remedy = `write ${flag}=… if it is meant`
    throw new UsageError(`${flag} needs a value, but ${quote(value)} looks like an option; ${remedy}`)
  }
  given.set(known, { texts: [...before, value], on: true })
}

function looksLikeOption(value: string, option: Option): boolean {
  const mayBeDashed = option.type === 'string' && option.dashValue === true
  return /^-./.test(value) && !(mayBeDashed && /^-\d/.test(value))
}

function switchedOff(table: OptionTable, name: string): string | undefined {
  const positive = name.startsWith('no-') ? name.slice(3) : ''
  return Object.hasOwn(table, positive) && table[positive]?.type === 'boolean' ? positive : undefined
}

function unknownOption(table: OptionTable, name: string, rawName: string): UsageError {
  const meant = rawName.startsWith('--') ? nearest(name, Object.keys(table)) : undefined
  const question = meant === undefined ? '' : `; did you mean --${meant}?`
  return new UsageError(`unknown option ${oneLine(rawName)}${question}`)
}

function onlyWord(tokens: readonly Token[], positional: Positional | undefined, env: Environment): unknown {
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const [word, second] = words
  if (positional === undefined) {
    if (word !== undefined) throw new UsageError(`unexpected argument ${quote(word)}: only options are taken`)
    return undefined
  }
  const { name, required, help, variable, parse = (text: string): string => text } = positional
  if (second !== undefined) {
    throw new UsageError(`unexpected argument ${quote(second)}: only one ${name} is taken`)
  }
  if (word === '') throw new UsageError(`${name} is empty; is a variable not set?`)
  const text = word ?? (variable === undefined ? '' : (env[variable]?.trim() ?? ''))
  if (text !== '') return parse(text)
  if (required) throw new UsageError(`${name} is missing${help === undefined ? '' : `: ${help}`}`)
  return undefined
}

function settle(option: Option, name: string, given: Given, env: Environment): unknown {
  const flag = given.get(name)
  if (flag === undefined) return fromEnvironment(option, name, env) ?? defaultValue(option, name)
  return option.type === 'boolean' ? flag.on : fromTexts(option, `--${name}`, flag.texts)
}
