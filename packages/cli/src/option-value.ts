import { UsageError } from './errors.ts'
import {
  type Environment,
  type NumberOption,
  type Option,
  type StringOption,
  variableOf
} from './option-table.ts'
import { messageOf, quote } from './text.ts'

const ON: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on'])
const OFF: ReadonlySet<string> = new Set(['0', 'false', 'no', 'off'])

/** The value of an option whose texts were found under `label`, a flag or a variable; one text, unless it takes several. */
export function fromTexts(
  option: NumberOption | StringOption,
  label: string,
  texts: readonly string[]
): unknown {
  const values = texts.map((text) => fromText(option, label, text))
  return option.type === 'string' && option.multiple ? values : values[0]
}

/** The value that an option's variable gives, or undefined where it is not set. Empty is not set, as usual in a shell. */
export function fromEnvironment(option: Option, name: string, env: Environment): unknown {
  const variable = variableOf(name)
  const text = env[variable]?.trim() ?? ''
  if (option.env === false || text === '') return undefined
  if (option.type === 'boolean') return fromSwitch(variable, text)
  return fromTexts(option, variable, option.type === 'string' && option.multiple ? splitList(text) : [text])
}

/** The value of an option that nobody gave. */
export function defaultValue(option: Option, name: string): unknown {
  if (option.type === 'boolean') return option.default ?? false
  if (option.type === 'number') return option.default
  if (option.multiple) return []
  return option.default === undefined ? undefined : fromText(option, `--${name}`, option.default)
}

function fromText(option: NumberOption | StringOption, label: string, text: string): unknown {
  if (text.trim() === '') throw new UsageError(`${label} is empty; it needs a value: ${option.value}`)
  if (option.type === 'number') return fromNumber(option, label, text)
  if (option.parse === undefined) return text
  try {
    return option.parse(text)
  } catch (error) {
    throw new UsageError(`${label}: ${messageOf(error)}`, { cause: error })
  }
}

function fromNumber({ value, integer, min = 0 }: NumberOption, label: string, text: string): number {
  const number = Number(text)
  // Number() alone would take '0x10', '1e3' and ''
  const isGood =
    /^\d+(\.\d+)?$/.test(text.trim()) && (integer ? Number.isSafeInteger(number) : Number.isFinite(number))
  if (isGood && number >= min) return number
  const kind = integer ? 'whole number' : 'number'
  throw new UsageError(`${label} takes a ${kind} of ${min} or more as ${value}, not ${quote(text)}`)
}

function fromSwitch(variable: string, text: string): boolean {
  const word = text.toLowerCase()
  if (ON.has(word)) return true
  if (OFF.has(word)) return false
  const right = '1, true, yes or on, and 0, false, no, off or empty'
  throw new UsageError(`${variable} is ${quote(text)}; it can be ${right}`)
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
