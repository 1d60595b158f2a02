import assert from 'node:assert/strict'
import { test } from 'node:test'
import { follow, TailError } from './index.ts'
import { decodePlace, encodePlace, type Place } from './place.ts'

const mark = {
  offset: Number.MAX_SAFE_INTEGER,
  crc: 2 ** 32 - 1,
  head: 2 ** 32 - 1,
  tail: 2 ** 32 - 1,
  written: 1_795_571_305_111_196_104n,
  writtenFrom: 1_795_571_305_099_000_000n
}

function placeOf(paths: readonly string[]): Place {
  return {
    files: paths.map((path) => ({
      ...mark,
      id: '9999999999:1795571305111196104',
      path,
      size: Number.MAX_SAFE_INTEGER,
      joins: false
    })),
    past: [mark, mark, mark, mark],
    since: 1_795_571_305_111_196_104n,
    others: Array.from({ length: 64 }, (_, index) => 2 ** 32 - 1 - index)
  }
}

test('a place is the same after it was stored', () => {
  const place = placeOf(['/var/log/app.log.1', '/var/log/журнал "日志"\\\n.log'])
  assert.deepEqual(decodePlace(encodePlace(place)), place)
})

test('a file that is no copy is stored with one time, as places had it before copies had two', () => {
  const place = { ...placeOf([]), past: [{ ...mark, writtenFrom: mark.written }] }
  const text = encodePlace(place)
  assert.equal(text.split('1795571305111196104').length - 1, 2, 'the time of the file, and since')
  assert.deepEqual(decodePlace(text), place)
})

test('a place has at most 3,800 ASCII characters, and keeps the newest file', () => {
  for (const path of ['/x'.repeat(2000), `/${'日'.repeat(1300)}`, '/var/log/app.log']) {
    for (const count of [1, 8, 100]) {
      const text = encodePlace(placeOf(Array.from({ length: count }, () => path)))
      assert.ok(text.length <= 3800, `${text.length} characters`)
      assert.match(text, /^[\x20-\x7e]*$/)
      assert.equal(decodePlace(text).files.at(-1)?.offset, mark.offset)
    }
  }
})

test('more others than a place can have are left out, the oldest first', () => {
  const place = { ...placeOf(['/a']), others: Array.from({ length: 100 }, (_, index) => index) }
  assert.deepEqual(decodePlace(encodePlace(place)).others, place.others.slice(0, 64))
})

test('what is no place is BAD_PLACE', async () => {
  const good = encodePlace(placeOf(['/a']))
  const parts = JSON.parse(good) as Record<string, unknown>
  const [file] = parts.files as unknown[][]
  const bad = [
    '',
    'null',
    '[]',
    '{}',
    good.slice(0, -1),
    JSON.stringify({ ...parts, v: 2 }),
    JSON.stringify({ ...parts, since: 'x' }),
    JSON.stringify({ ...parts, others: 1 }),
    JSON.stringify({ ...parts, past: [[1]] }),
    JSON.stringify({ ...parts, files: [file?.with(4, -1)] }),
    JSON.stringify({ ...parts, files: [file?.with(4, 1.5)] }),
    JSON.stringify({ ...parts, files: [file?.with(0, 1)] })
  ]
  for (const from of bad)
    await assert.rejects(
      follow('/nowhere', { from }).next(),
      (error) => error instanceof TailError && error.code === 'BAD_PLACE',
      from
    )
})

test('a grace time below 0 is BAD_OPTION', async () => {
  for (const grace of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(
      follow('/nowhere', { grace }).next(),
      (error) => error instanceof TailError && error.code === 'BAD_OPTION'
    )
})
