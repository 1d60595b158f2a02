import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import test from 'node:test'
import type { Status as NodeStatus } from '@many-cores/node'
import { reportTo } from './report.ts'
import { createStatus, type StatusLevel } from './status.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)

/** What a pipe gets of these events; a function is called between them. */
function told(events: readonly (NodeStatus | (() => void))[], level: StatusLevel = 'normal'): string[] {
  let text = ''
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString()
      done()
    }
  })
  const onStatus = reportTo(createStatus({ name: 'reader', stream, level }))
  for (const event of events) {
    if (typeof event === 'function') event()
    else onStatus(event)
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('reader: ', ''))
}

test('each state is said once, in the order in which a reader comes through them', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lines = told([
    { state: 'finding' },
    { state: 'connecting', via: 'dht', peer: A },
    { state: 'failed', via: 'dht', peer: A, reason: 'timeout' },
    { state: 'connecting', via: 'dht', peer: A },
    { state: 'connected', via: 'dht', peer: A, peers: 1 },
    { state: 'syncing', lines: 10, total: 100, bytes: 1000, elapsed: 300 },
    { state: 'syncing', lines: 90, total: 100, bytes: 9000, elapsed: 2000 },
    { state: 'live', lines: 100 },
    { state: 'live', lines: 101 },
    { state: 'connected', via: 'local', peer: B, peers: 2 },
    { state: 'disconnected', via: 'local', peer: B, peers: 1, reason: 'ended' },
    { state: 'disconnected', via: 'dht', peer: A, peers: 0, reason: 'ended' },
    () => t.mock.timers.tick(1000)
  ])
  assert.deepEqual(lines, [
    'finding peers',
    'connecting to a peer, by dht',
    'connected to 1 peer, by dht',
    'syncing; connected to 1 peer, by dht',
    'live; connected to 1 peer, by dht',
    'synced 90 lines, 9.00 kB in 2.0 s',
    'live; connected to 2 peers, by dht and local',
    'live; connected to 1 peer, by dht',
    'live; alone, looking for peers'
  ])
})

test('a peer that is back within a second was not away', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const gone = { state: 'disconnected', via: 'dht', peer: A, peers: 0, reason: 'ended' } as const
  const back = { state: 'connected', via: 'dht', peer: A, peers: 1 } as const
  const lines = told([
    { state: 'live', lines: 0 },
    back,
    gone,
    () => t.mock.timers.tick(999),
    { state: 'live', lines: 1 },
    back,
    () => t.mock.timers.tick(5000),
    gone,
    () => t.mock.timers.tick(1000)
  ])
  assert.deepEqual(lines, [
    'live; alone, looking for peers',
    'live; connected to 1 peer, by dht',
    'live; alone, looking for peers'
  ])
})

test('a writer says for how many peers it waits, and how many are there', () => {
  const lines = told([
    { state: 'connected', via: 'dht', peer: A, peers: 1 },
    { state: 'acknowledging', holding: 0, peers: 2 },
    { state: 'acknowledging', holding: 1, peers: 2 },
    { state: 'connected', via: 'local', peer: B, peers: 2 }
  ])
  assert.deepEqual(lines, [
    'connected to 1 peer, by dht',
    'waiting for 2 peers to hold everything: 0 have; connected to 1 peer, by dht',
    'waiting for 2 peers to hold everything: 1 has; connected to 1 peer, by dht',
    'waiting for 2 peers to hold everything: 1 has; connected to 2 peers, by dht and local'
  ])
})

test('verbose names every peer and every attempt, with its reason', () => {
  const lines = told(
    [
      { state: 'connecting', via: 'lan', peer: A },
      { state: 'failed', via: 'lan', peer: A, reason: 'refused' },
      { state: 'connected', via: 'dht', peer: A, peers: 1 },
      { state: 'spare', via: 'dht', peer: A, better: 'local' },
      { state: 'disconnected', via: 'dht', peer: A, peers: 0, reason: 'timed out' }
    ],
    'verbose'
  )
  for (const expected of [
    `calling peer ${A}, by lan`,
    `peer ${A} cannot be reached by lan: refused`,
    `peer ${A} is there, by dht`,
    `peer ${A} is there by dht, too; local is kept`,
    `peer ${A} has gone, by dht: timed out`
  ])
    assert.ok(lines.includes(expected), `${expected} in ${lines.join('\n')}`)
})

test('no multicast is a detail, no DHT is said, and so is its return', () => {
  const events: NodeStatus[] = [
    { state: 'unreachable', via: 'lan', reason: 'no network' },
    { state: 'unreachable', via: 'dht', reason: 'no answer' },
    { state: 'reachable', via: 'dht' }
  ]
  assert.deepEqual(told(events), ['cannot look for peers by dht: no answer', 'dht can be reached'])
  assert.equal(told(events, 'verbose').length, 3)
  assert.deepEqual(told(events, 'quiet'), [])
})

test('who refuses this peer is said once; whom it refuses is a detail', () => {
  const events: NodeStatus[] = [
    { state: 'refused', via: 'local', peer: A, by: 'them', reason: 'it is not allowed' },
    { state: 'refused', via: 'local', peer: A, by: 'them', reason: 'it is not allowed' },
    { state: 'refused', via: 'lan', peer: B, by: 'us', reason: 'too many' }
  ]
  assert.deepEqual(told(events), ['a peer refuses this one: it is not allowed'])
  const all = told(events, 'verbose')
  assert.ok(all.includes(`peer ${A} refuses this one, by local: it is not allowed`))
  assert.ok(all.includes(`peer ${B} is refused, by lan: too many`))
})
