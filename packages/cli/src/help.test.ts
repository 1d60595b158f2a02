import assert from 'node:assert/strict'
import test from 'node:test'
import { commonOptions } from './common-options.ts'
import { EXIT } from './exit-codes.ts'
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

test('help is aligned, in groups, and lists commands, defaults, exit codes and examples', () => {
  const help = formatHelp(TABLE, {
    usage: 'reader [options] KEY',
    about: 'Reads a log.',
    commands: { id: 'print the id' },
    groups: { 'What to read': ['only', 'timeout'] },
    examples: ['reader abc']
  })
  const expected = `Usage: reader [options] KEY

Reads a log.

Commands:
  id                     print the id

Options:
      --colour           Use colours (default; --no-colour turns it off)
      --a-name-beyond-all-measure TEXT
                         Long

What to read:
      --only NAME        One core (repeatable)
      --timeout SECONDS  How long to wait (default: 30)

Network:
      --local            Stay on this machine

Other:
  -h, --help             Show this text

Exit codes:
  0                      done`
  assert.equal(help.slice(0, expected.length), expected)
  assert.match(help, /\n {2}129, 130, 143 {10}stopped by .+\n\n(.+\n)+\nExamples:\n {2}reader abc\n$/)
})

test('help without commands has no exit codes', () => {
  assert.doesNotMatch(formatHelp(TABLE, { usage: 'reader id', about: 'x' }), /Exit codes|Commands/)
})

test('every exit code is in the help', () => {
  const help = formatHelp(TABLE, { usage: 'reader', about: 'x', commands: { id: 'x' } })
  for (const code of Object.values(EXIT)) assert.match(help, new RegExp(`^ {2}${code} `, 'm'))
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
    /Directory of the store; its variable is MANY_CORES_WRITER_STORAGE \(default: \$XDG_DATA_HOME\/many-cores\/writer, or ~\/\.local\/share\/many-cores\/writer\)/
  )
})

test('help leaves out hidden options', () => {
  const help = formatHelp(TABLE, { usage: 'reader id', about: 'x', hidden: ['local'] })
  assert.doesNotMatch(help, /--local +Stay/)
})
