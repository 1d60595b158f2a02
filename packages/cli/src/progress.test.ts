import assert from 'node:assert/strict'
import test from 'node:test'
import { formatBytes, formatTransfer, progressParts } from './progress.ts'

test('the parts of progress are the known ones, the most important first', () => {
  const progress = { done: 3000, before: 1000, total: 5000, unit: 'line', bytes: 88_000, elapsed: 1000 }
  assert.deepEqual(progressParts(progress), [
    '60 %',
    '1 s left',
    '[######----]',
    '3,000 of 5,000 lines',
    '2,000 lines/s',
    '88.0 kB'
  ])
  assert.deepEqual(progressParts({ done: 7, unit: 'line' }), ['7 lines'])
})

test('one is a line, not lines', () => {
  assert.deepEqual(progressParts({ done: 1, unit: 'line', elapsed: 1000 }), ['1 line', '1 line/s'])
  assert.ok(progressParts({ done: 0, total: 1, unit: 'line' }).includes('0 of 1 line'))
  assert.equal(formatTransfer(1, 'line', 6, 100), '1 line, 6 B in 0.1 s')
})

test('without elapsed time there is no rate, and without a rate no time left', () => {
  for (const progress of [
    { done: 10, elapsed: 100 },
    { done: 0, elapsed: 9000 }
  ])
    assert.ok(!progressParts({ ...progress, total: 20, unit: 'line' }).some((part) => / left|\/s/.test(part)))
})

test('a long time is in minutes and hours', () => {
  const base = { unit: 'line', elapsed: 1000, done: 1 }
  assert.equal(progressParts({ ...base, total: 126 })[1], '2 min 5 s left')
  assert.equal(progressParts({ ...base, total: 7261 })[1], '2 h 1 min left')
})

test('a transfer is lines, bytes, time and rate', () => {
  assert.equal(
    formatTransfer(200_006, 'line', 6_288_895, 1900),
    '200,006 lines, 6.29 MB in 1.9 s (105,266 lines/s)'
  )
  assert.equal(formatTransfer(3600, 'line', 7200, 3_600_000), '3,600 lines, 7.20 kB in 1 h 0 min (1 line/s)')
})

test('bytes have three digits', () => {
  assert.equal(formatBytes(999), '999 B')
  assert.equal(formatBytes(1000), '1.00 kB')
  assert.equal(formatBytes(999_600), '1.00 MB')
  assert.equal(formatBytes(12_345_678), '12.3 MB')
})
