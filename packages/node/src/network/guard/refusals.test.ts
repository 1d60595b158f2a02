import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusals } from './refusals.ts'

test('a refusal is current until the peer would have been called again over its network', () => {
  const refusals = new Refusals()
  refusals.add({ peer: 'near', by: 'them', reason: 'full', via: 'local' }, 0)
  refusals.add({ peer: 'far', by: 'them', reason: 'not-allowed', via: 'dht' }, 0)
  const peers = (now: number): string[] => refusals.current(now).map(({ peer }) => peer)
  assert.deepEqual(peers(9_999), ['near', 'far'])
  assert.deepEqual(peers(10_000), ['far'])
  assert.deepEqual(peers(40_000), [])
  refusals.add({ peer: 'far', by: 'them', reason: 'not-allowed', via: 'dht' }, 40_000)
  assert.deepEqual(peers(40_000), ['far'])
  refusals.delete('far')
  assert.deepEqual(peers(40_000), [])
})

test('a peer is refusing only shortly after it has refused this node', () => {
  const refusals = new Refusals()
  refusals.add({ peer: 'them', by: 'them', reason: 'full', via: 'lan' }, 0)
  refusals.add({ peer: 'us', by: 'us', reason: 'full', via: 'lan' }, 0)
  assert.equal(refusals.isRefusing('them', 5000, 4999), true)
  assert.equal(refusals.isRefusing('them', 5000, 5000), false)
  assert.equal(refusals.isRefusing('us', 5000, 0), false)
})

test('only the newest refusals are kept', () => {
  const refusals = new Refusals()
  for (let peer = 0; peer < 1000; peer++)
    refusals.add({ peer: `${peer}`, by: 'them', reason: 'full', via: 'lan' }, 0)
  const kept = refusals.current(0)
  assert.equal(kept.length, 64)
  assert.equal(kept.at(-1)?.peer, '999')
})
