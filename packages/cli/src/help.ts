import { type Option, type OptionTable, variableOf } from './option-table.ts'
import { wrap } from './text.ts'

/** The parts of `--help` besides the options. */
export interface HelpText {
  /** The command line: `reader [options] KEY`. */
  readonly usage: string
  readonly about: string
  /** Command lines. */
  readonly examples?: readonly string[]
  /** Options that are accepted and have no effect. */
  readonly hidden?: readonly string[]
}

const WIDTH = 80
const INDENT = 2
/** Longer flags get a separate line. */
const MAX_FLAGS = 26

/** The text of `--help`: at most 80 columns, except for long examples. Ends with a newline. */
export function formatHelp(
  table: OptionTable,
  { usage, about, examples = [], hidden = [] }: HelpText
): string {
  const options = Object.entries(table).filter(([name]) => !hidden.includes(name))
  const sections = [
    [`Usage: ${usage}`],
    wrap(about, WIDTH),
    ['Options:', ...optionLines(options)],
    ['Environment:', ...environmentLines(options)]
  ]
  if (examples.length > 0) sections.push(['Examples:', ...examples.map((line) => ' '.repeat(INDENT) + line)])
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

type NamedOption = readonly [name: string, option: Option]

function optionLines(options: readonly NamedOption[]): string[] {
  const rows = options.map(([name, option]) => ({
    flags: flagsOf(name, option),
    help: option.help + remarkOf(name, option)
  }))
  const column =
    INDENT * 2 + Math.max(0, ...rows.map(({ flags }) => flags.length).filter((length) => length <= MAX_FLAGS))
  return rows.flatMap(({ flags, help }) => {
    const lines = wrap(help, WIDTH - column).map((line) => ' '.repeat(column) + line)
    const head = ' '.repeat(INDENT) + flags
    if (flags.length > MAX_FLAGS) return [head, ...lines]
    return [head.padEnd(column) + (lines[0] ?? '').trimStart(), ...lines.slice(1)]
  })
}

function flagsOf(name: string, option: Option): string {
  const short = option.short === undefined ? '    ' : `-${option.short}, `
  return `${short}--${name}${option.type === 'boolean' ? '' : ` ${option.value}`}`
}

function remarkOf(name: string, option: Option): string {
  if (option.type === 'boolean') return option.default ? ` (default; --no-${name} turns it off)` : ''
  if (option.type === 'string' && option.multiple) return ' (repeatable)'
  const shown = option.defaultHelp ?? option.default
  return shown === undefined ? '' : ` (default: ${shown})`
}

function environmentLines(options: readonly NamedOption[]): string[] {
  const variables = options.filter(([, { env }]) => env !== false).map(([name]) => variableOf(name))
  const text = `Flags override variables: ${variables.join(', ')}. Separate the items of a list with commas; set a switch to 1 or 0.`
  return wrap(text, WIDTH - INDENT).map((line) => ' '.repeat(INDENT) + line)
}
