import { parseLabelled, UsageError } from './errors.ts'
import {
  type Environment,
  type NumberOption,
  type Option,
  type StringOption,
  variableOf
} from './option-table.ts'
import { quote } from './text.ts'

/** The value of an option from its texts: one, unless it is `multiple`. `label` is the flag or the variable. */
export function fromTexts(
  option: NumberOption | StringOption,
  label: string,
  texts: readonly string[]
): unknown {
  const values = texts.map((text) => fromText(option, label, text))
  return option.type === 'string' && option.multiple ? values : values[0]
}

/** The value from an option's variable; undefined if it is unset or empty. */
export function fromEnvironment(option: Option, name: string, env: Environment): unknown {
  const variable = variableOf(name, option)
  if (variable === undefined) return undefined
  const text = env[variable]?.trim() ?? ''
  if (text === '') return undefined
  if (option.type === 'boolean') return fromSwitch(variable, text)
  return fromTexts(option, variable, option.type === 'string' && option.multiple ? splitList(text) : [text])
}

/** The value of an option that is not set. */
export function defaultValue(option: Option, name: string): unknown {
  if (option.type === 'boolean') return option.default ?? false
  if (option.type === 'number') return option.default
  if (option.multiple) return []
  return option.default === undefined ? undefined : fromText(option, `--${name}`, option.default)
}

function fromText(option: NumberOption | StringOption, label: string, text: string): unknown {
  if (text.trim() === '') throw new UsageError(`${label} is empty: expected ${option.value}`)
  if (option.type === 'number') return fromNumber(option, label, text)
  const { parse } = option
  return parse === undefined ? text : parseLabelled(label, () => parse(text))
}

function fromNumber(
  { value, integer, min = 0, max = Number.POSITIVE_INFINITY }: NumberOption,
  label: string,
  text: string
): number {
  const number = Number(text)
  // Number() alone would accept '0x10', '1e3' and ''
  const isValid =
    /^\d+(\.\d+)?$/.test(text.trim()) && (integer ? Number.isSafeInteger(number) : Number.isFinite(number))
  if (isValid && number >= min && number <= max) return number
  const kind = integer ? 'whole number' : 'number'
  const range = max === Number.POSITIVE_INFINITY ? `at least ${min}` : `${min} to ${max}`
  throw new UsageError(`${label}: invalid ${value} ${quote(text)}: expected a ${kind}, ${range}`)
}

function fromSwitch(variable: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new UsageError(
    `${variable}: invalid value ${quote(text)}: expected 1 or 0 (also true, yes, on; false, no, off)`
  )
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
