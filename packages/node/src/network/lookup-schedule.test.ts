import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EAGER_INTERVAL_MS, LookupSchedule, type NetworkState } from './lookup-schedule.ts'

/** How many lookups are due within `seconds` from `start`, in ms, in an unchanging network. */
function countLookups(
  schedule: LookupSchedule,
  start: number,
  seconds: number,
  state: Omit<NetworkState, 'now'>
): number {
  let count = 0
  for (let now = start; now < start + seconds * 1000; now += EAGER_INTERVAL_MS) {
    if (schedule.shouldLookUp({ now, ...state })) count++
  }
  return count
}

test('without a peer, lookups are eager for two minutes and rare after that', () => {
  const schedule = new LookupSchedule(0)
  const alone = { isReachable: true, isAlone: true }
  assert.equal(countLookups(schedule, 0, 120, alone), 60)
  assert.equal(countLookups(schedule, 120_000, 300, alone), 10)
})

test('with a peer, there are no lookups, except while another peer is missing', () => {
  const schedule = new LookupSchedule(0)
  const connected = { isReachable: true, isAlone: false }
  assert.equal(countLookups(schedule, 0, 60, connected), 0)
  schedule.onDisconnected('writer', 60_000)
  assert.equal(countLookups(schedule, 60_000, 20, connected), 10)
  schedule.onConnected('writer')
  assert.equal(countLookups(schedule, 80_000, 60, connected), 0)
})

test('lookups for a missing peer end after two minutes: it looks this node up when it returns', () => {
  const schedule = new LookupSchedule(0)
  schedule.onDisconnected('reader', 0)
  const connected = { isReachable: true, isAlone: false }
  assert.equal(countLookups(schedule, 0, 120, connected), 60)
  assert.equal(countLookups(schedule, 120_000, 600, connected), 0)
})

test('lookups stay eager while the network does not answer, and for two minutes once it does', () => {
  const schedule = new LookupSchedule(0)
  assert.equal(countLookups(schedule, 0, 3600, { isReachable: false, isAlone: true }), 1800)
  assert.equal(countLookups(schedule, 3_600_000, 120, { isReachable: true, isAlone: true }), 60)
})

test('a lookup is due as soon as the machine wakes up', () => {
  const schedule = new LookupSchedule(0)
  countLookups(schedule, 0, 180, { isReachable: true, isAlone: true })
  assert.equal(schedule.shouldLookUp({ now: 3_600_000, isReachable: true, isAlone: false }), true)
  assert.equal(schedule.shouldLookUp({ now: 3_602_000, isReachable: true, isAlone: true }), true)
})
