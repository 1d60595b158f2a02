import type { Option, OptionTable } from './option-table.ts'
import { wrap } from './text.ts'

/** The parts of `--help` besides the options. */
export interface HelpText {
  /** The command line: `reader [options] KEY`. */
  readonly usage: string
  readonly about: string
  /** What each command of the program does, by its command line: `verify KEY`. With them, the exit codes are listed too. */
  readonly commands?: Readonly<Record<string, string>>
  /** The names of options by the heading that they are listed under. The common options have headings already. */
  readonly groups?: Groups
  /** Command lines. */
  readonly examples?: readonly string[]
  /** Options that are accepted and have no effect. */
  readonly hidden?: readonly string[]
}

type Groups = Readonly<Record<string, readonly string[]>>

/** For the help of a command that is offline: the common options without an effect there. */
export const NETWORK_OPTIONS: readonly string[] = [
  'local',
  'lan',
  'bootstrap',
  'relay',
  'allow',
  'allow-file',
  'max-peers'
]

const COMMON_GROUPS: Groups = {
  'Where to store': ['storage', 'name', 'fsync'],
  Network: NETWORK_OPTIONS,
  Other: ['quiet', 'verbose', 'help', 'version']
}

const EXIT_CODES: readonly Row[] = [
  { head: '0', text: 'done, or the reader of standard output has gone' },
  { head: '1', text: 'unexpected error, or standard output cannot be written' },
  { head: '2', text: 'usage' },
  { head: '3', text: 'no peer, log or acknowledgement in time' },
  { head: '5', text: 'data do not verify, or the log has forked' },
  { head: '6', text: 'no connected peer has a block' },
  { head: '7', text: 'another process uses the store' },
  { head: '8', text: 'the store or the output file cannot be used' },
  { head: '9', text: 'a line cannot be published' },
  { head: '129, 130, 143', text: 'stopped by SIGHUP, SIGINT, SIGTERM' }
]

const WIDTH = 80
const INDENT = 2
/** A longer head gets a separate line. */
const MAX_HEAD = 26

/** The text of `--help`: at most 80 columns, except for long examples. Ends with a newline. */
export function formatHelp(table: OptionTable, help: HelpText): string {
  const { usage, about, commands = {}, groups = {}, examples = [], hidden = [] } = help
  const names = Object.keys(table).filter((name) => !hidden.includes(name))
  const all: Groups = { ...groups, ...COMMON_GROUPS }
  const grouped = new Set(Object.values(all).flat())
  const sections: readonly Section[] = [
    { title: 'Commands', rows: Object.entries(commands).map(([head, text]) => ({ head, text })) },
    ...Object.entries({ Options: names.filter((name) => !grouped.has(name)), ...all }).map(
      ([title, members]): Section => ({
        title,
        rows: members.flatMap((name) => {
          const option = table[name]
          return option === undefined || !names.includes(name) ? [] : [rowOf(name, option)]
        })
      })
    ),
    { title: 'Exit codes', rows: Object.keys(commands).length > 0 ? EXIT_CODES : [] }
  ]
  const column = columnOf(sections.flatMap(({ rows }) => rows))
  const paragraphs = [
    [`Usage: ${usage}`],
    wrap(about, WIDTH),
    ...sections
      .filter(({ rows }) => rows.length > 0)
      .map(({ title, rows }) => [`${title}:`, ...rows.flatMap((row) => linesOf(row, column))]),
    wrap(ENVIRONMENT, WIDTH)
  ]
  if (examples.length > 0)
    paragraphs.push(['Examples:', ...examples.map((line) => ' '.repeat(INDENT) + line)])
  return `${paragraphs.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

const ENVIRONMENT =
  'Environment: an option overrides its variable. MANY_CORES_TIMEOUT=5 stands for --timeout 5, MANY_CORES_LOCAL=1 for --local. Separate the items of a list with commas.'

interface Section {
  readonly title: string
  readonly rows: readonly Row[]
}

interface Row {
  readonly head: string
  readonly text: string
}

function rowOf(name: string, option: Option): Row {
  return { head: flagsOf(name, option), text: option.help + remarkOf(name, option) }
}

/** Where the texts begin. */
function columnOf(rows: readonly Row[]): number {
  const lengths = rows.map(({ head }) => head.length).filter((length) => length <= MAX_HEAD)
  return INDENT * 2 + Math.max(0, ...lengths)
}

function linesOf({ head, text }: Row, column: number): string[] {
  const lines = wrap(text, WIDTH - column).map((line) => ' '.repeat(column) + line)
  const first = ' '.repeat(INDENT) + head
  if (head.length > MAX_HEAD) return [first, ...lines]
  return [first.padEnd(column) + (lines[0] ?? '').trimStart(), ...lines.slice(1)]
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
