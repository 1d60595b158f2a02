import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Figure, formatJson, formatText } from './report.ts'

const figure: Figure = {
  benchmark: 'ingest',
  name: 'W1',
  subject: 'writer',
  value: 1_020_000,
  unit: 'lines/s',
  baseline: { name: 'raw hypercore', value: 138_000 },
  goal: { of: 'ratio', at: 'least', bound: 7 }
}

test('a line names the figure, its ratio to the baseline, and the goal', () => {
  assert.equal(
    formatText(figure).replace(/ {2,}/g, '  '),
    'ingest W1 writer  1,020,000 lines/s  7.39x raw hypercore (138,000)  goal >= 7x'
  )
})

test('a missed goal is reported', () => {
  assert.match(formatText({ ...figure, value: 138_000 }), /1\.00x .* goal >= 7x, missed$/)
  const late: Figure = { ...figure, value: 300, unit: 'MB', goal: { of: 'value', at: 'most', bound: 250 } }
  assert.match(formatText(late), /goal <= 250 MB, missed$/)
})

test('JSON has the ratio, and the goal where there is one', () => {
  const { goal, met, ratio } = JSON.parse(formatJson(figure)) as Record<string, unknown>
  assert.deepEqual([goal, met, ratio], ['>= 7x', true, 1_020_000 / 138_000])
  assert.equal('met' in (JSON.parse(formatJson({ ...figure, goal: undefined })) as object), false)
})
