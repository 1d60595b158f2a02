import assert from 'node:assert/strict'
import test from 'node:test'
import { commonOptions } from './common-options.ts'
import { formatHelp } from './help.ts'
import type { OptionTable } from './option-table.ts'

const TABLE = {
  local: { type: 'boolean', help: 'Stay on this machine' },
  colour: { type: 'boolean', default: true, help: 'Use colours' },
  only: { type: 'string', value: 'NAME', multiple: true, help: 'One core' },
  timeout: { type: 'number', value: 'SECONDS', default: 30, help: 'How long to wait' },
  'a-name-beyond-all-measure': { type: 'string', value: 'TEXT', help: 'Long' },
  help: { type: 'boolean', short: 'h', env: false, help: 'Show this text' }
} as const satisfies OptionTable

test('help is aligned and lists defaults, variables and examples', () => {
  const help = formatHelp(TABLE, {
    usage: 'reader [options] KEY',
    about: 'Reads a log.',
    examples: ['reader abc']
  })
  assert.equal(
    help,
    `Usage: reader [options] KEY

Reads a log.

Options:
      --local            Stay on this machine
      --colour           Use colours (default; --no-colour turns it off)
      --only NAME        One core (repeatable)
      --timeout SECONDS  How long to wait (default: 30)
      --a-name-beyond-all-measure TEXT
                         Long
  -h, --help             Show this text

Environment:
  Flags override variables: MANY_CORES_LOCAL, MANY_CORES_COLOUR,
  MANY_CORES_ONLY, MANY_CORES_TIMEOUT, MANY_CORES_A_NAME_BEYOND_ALL_MEASURE.
  Separate the items of a list with commas; set a switch to 1 or 0.

Examples:
  reader abc
`
  )
})

test('help is at most 80 columns wide', () => {
  const long = 'word '.repeat(60).trim()
  const table = { ...commonOptions('writer'), route: { type: 'string', value: 'RULE', help: long } } as const
  const lines = formatHelp(table, { usage: 'writer [options]', about: long }).split('\n')
  assert.ok(lines.length > 20)
  for (const line of lines) assert.ok(line.length <= 80, line)
})

test('help shows the default store', () => {
  assert.match(
    formatHelp(commonOptions('writer'), { usage: 'writer', about: 'x' }).replaceAll(/\s+/g, ' '),
    /Directory of the store \(default: \$XDG_DATA_HOME\/many-cores\/writer, or ~\/\.local\/share\/many-cores\/writer\)/
  )
})

test('help leaves out hidden options and their variables', () => {
  const help = formatHelp(TABLE, { usage: 'reader id', about: 'x', hidden: ['local'] })
  assert.doesNotMatch(help, /local/i)
})
