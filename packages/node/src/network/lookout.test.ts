import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EAGER_MS, Lookout } from './lookout.ts'

/** How often a node looks in `seconds`, with what it sees in each. */
function looks(
  lookout: Lookout,
  from: number,
  seconds: number,
  sight: { isReachable: boolean; isAlone: boolean }
): number {
  let count = 0
  for (let now = from; now < from + seconds * 1000; now += EAGER_MS) {
    if (lookout.shouldLook({ now, ...sight })) count++
  }
  return count
}

test('who is alone looks eagerly for two minutes, and then now and then', () => {
  const lookout = new Lookout(0)
  const alone = { isReachable: true, isAlone: true }
  assert.equal(looks(lookout, 0, 120, alone), 60)
  assert.equal(looks(lookout, 120_000, 300, alone), 10)
})

test('who is connected does not look, unless a peer has gone, until it is back', () => {
  const lookout = new Lookout(0)
  const connected = { isReachable: true, isAlone: false }
  assert.equal(looks(lookout, 0, 60, connected), 0)
  lookout.miss('writer', 60_000)
  assert.equal(looks(lookout, 60_000, 20, connected), 10)
  lookout.meet('writer')
  assert.equal(looks(lookout, 80_000, 60, connected), 0)
})

test('a peer that stays away is given up, since it looks for us when it comes', () => {
  const lookout = new Lookout(0)
  lookout.miss('reader', 0)
  const connected = { isReachable: true, isAlone: false }
  assert.equal(looks(lookout, 0, 120, connected), 60)
  assert.equal(looks(lookout, 120_000, 600, connected), 0)
})

test('a network that does not answer is asked on and on, and eagerly when it is back', () => {
  const lookout = new Lookout(0)
  assert.equal(looks(lookout, 0, 3600, { isReachable: false, isAlone: true }), 1800)
  assert.equal(looks(lookout, 3_600_000, 120, { isReachable: true, isAlone: true }), 60)
})

test('after sleep one looks at once', () => {
  const lookout = new Lookout(0)
  looks(lookout, 0, 180, { isReachable: true, isAlone: true })
  assert.equal(lookout.shouldLook({ now: 3_600_000, isReachable: true, isAlone: false }), true)
  assert.equal(lookout.shouldLook({ now: 3_602_000, isReachable: true, isAlone: true }), true)
})
