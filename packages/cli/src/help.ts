import { type Option, type OptionTable, variableOf } from './option-table.ts'
import { wrap } from './text.ts'

/** What `--help` says beside the options. */
export interface HelpText {
  /** The command line: `reader [options] KEY`. */
  readonly usage: string
  /** One paragraph a string. */
  readonly about: string | readonly string[]
  /** Command lines, as they are typed. */
  readonly examples?: readonly string[]
}

const WIDTH = 80
const INDENT = 2
/** Longer flags have a line of their own. */
const MAX_FLAGS = 26

/** The text of `--help`: at most 80 columns, except where an example is longer. Ends with a newline. */
export function formatHelp(table: OptionTable, { usage, about, examples = [] }: HelpText): string {
  const paragraphs = typeof about === 'string' ? [about] : about
  const sections = [
    [`Usage: ${usage}`],
    ...paragraphs.map((paragraph) => wrap(paragraph, WIDTH)),
    ['Options:', ...optionLines(table)],
    ['Environment:', ...environmentLines(table)]
  ]
  if (examples.length > 0) sections.push(['Examples:', ...examples.map((line) => ' '.repeat(INDENT) + line)])
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function optionLines(table: OptionTable): string[] {
  const rows = Object.entries(table).map(([name, option]) => ({
    flags: flagsOf(name, option),
    help: helpOf(name, option)
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

function helpOf(name: string, option: Option): string {
  const remark = remarkOf(name, option)
  return remark === undefined ? option.help : `${option.help} (${remark})`
}

function remarkOf(name: string, option: Option): string | undefined {
  if (option.type === 'boolean') return option.default ? `default; --no-${name} turns it off` : undefined
  if (option.type === 'string' && option.multiple) return 'repeatable'
  const shown = option.defaultHelp ?? option.default
  return shown === undefined ? undefined : `default: ${shown}`
}

function environmentLines(table: OptionTable): string[] {
  const variables = Object.keys(table)
    .filter((name) => table[name]?.env !== false)
    .map(variableOf)
  const text = `A flag beats its variable: ${variables.join(', ')}. A list is separated by commas; a switch is 1 or 0.`
  return wrap(text, WIDTH - INDENT).map((line) => ' '.repeat(INDENT) + line)
}
