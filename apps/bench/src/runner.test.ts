import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interleave, median, percentile } from './runner.ts'

test('contenders run in turn, and their medians are theirs', async () => {
  const order: string[] = []
  const values = [30, 10, 20]
  const medians = await interleave(3, {
    a: async () => {
      order.push('a')
      return { rate: values[order.length / 2 - 0.5] ?? 0 }
    },
    b: async () => {
      order.push('b')
      return { rate: 1, memory: 2 }
    }
  })
  assert.equal(order.join(''), 'ababab')
  assert.equal(medians('a', 'rate'), 20)
  assert.equal(medians('b', 'memory'), 2)
})

test('a metric without measurements is not a number', async () => {
  const medians = await interleave(1, { a: async () => ({ rate: 1 }) })
  assert.ok(Number.isNaN(medians('a', 'memory')))
  assert.ok(Number.isNaN(medians('c', 'rate')))
})

test('the median of an even number is between the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([7]), 7)
  assert.ok(Number.isNaN(median([])))
})

test('a percentile is one of the values', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.deepEqual(
    [0.5, 0.99, 1].map((share) => percentile(values, share)),
    [50, 99, 100]
  )
  assert.equal(percentile([5], 0.5), 5)
})
