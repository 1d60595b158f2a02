import assert from 'node:assert/strict'
import test from 'node:test'
import { formatBytes, formatProgress } from './progress.ts'

test('progress shows the known parts: bar, count, bytes, rate, time left', () => {
  const progress = { done: 3000, before: 1000, total: 5000, unit: 'lines', bytes: 88_000, elapsed: 1000 }
  assert.equal(
    formatProgress(progress),
    '[############--------] 3,000 of 5,000 lines (60 %), 88.0 kB, 2,000 lines/s, 1 s left'
  )
  assert.equal(formatProgress({ done: 7, unit: 'lines' }), '7 lines')
})

test('without elapsed time there is no rate, and without a rate no time left', () => {
  assert.doesNotMatch(formatProgress({ done: 10, total: 20, unit: 'lines', elapsed: 100 }), /s left/)
  assert.doesNotMatch(formatProgress({ done: 0, total: 20, unit: 'lines', elapsed: 9000 }), /left/)
})

test('a long time is in minutes and hours', () => {
  const base = { unit: 'lines', elapsed: 1000, done: 1 }
  assert.match(formatProgress({ ...base, total: 126 }), /2 min 5 s left/)
  assert.match(formatProgress({ ...base, total: 7261 }), /2 h 1 min left/)
})

test('bytes have three digits', () => {
  assert.equal(formatBytes(999), '999 B')
  assert.equal(formatBytes(1000), '1.00 kB')
  assert.equal(formatBytes(999_600), '1.00 MB')
  assert.equal(formatBytes(12_345_678), '12.3 MB')
})
