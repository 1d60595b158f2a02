import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import test from 'node:test'
import type { Status as NodeStatus } from '@many-cores/node'
import { reportTo } from './report.ts'
import { Status, type StatusLevel } from './status.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)

/** The lines that these events write to a pipe; functions are called in between. */
function linesOf(events: readonly (NodeStatus | (() => void))[], level: StatusLevel = 'normal'): string[] {
  let text = ''
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString()
      done()
    }
  })
  const onStatus = reportTo(new Status({ name: 'reader', stream, level }))
  for (const event of events) {
    if (typeof event === 'function') event()
    else onStatus(event)
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('reader: ', ''))
}

test('each state of a reader is shown once, in order', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lines = linesOf([
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
    'connecting to a peer (DHT)',
    'connected to 1 peer (DHT)',
    'syncing; connected to 1 peer (DHT)',
    'live; connected to 1 peer (DHT)',
    'synced 90 lines, 9.00 kB in 2.0 s (45 lines/s)',
    'live; connected to 2 peers (DHT, local socket)',
    'live; connected to 1 peer (DHT)',
    'live; no peers, still looking'
  ])
})

test('a peer that reconnects within a second never shows as gone', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const gone = { state: 'disconnected', via: 'dht', peer: A, peers: 0, reason: 'ended' } as const
  const back = { state: 'connected', via: 'dht', peer: A, peers: 1 } as const
  const lines = linesOf([
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
    'live; no peers, still looking',
    'live; connected to 1 peer (DHT)',
    'live; no peers, still looking'
  ])
})

test('a writer shows how many of the expected peers have acknowledged', () => {
  const lines = linesOf([
    { state: 'connected', via: 'dht', peer: A, peers: 1 },
    { state: 'acknowledging', holding: 0, peers: 2 },
    { state: 'acknowledging', holding: 1, peers: 2 },
    { state: 'connected', via: 'local', peer: B, peers: 2 }
  ])
  assert.deepEqual(lines, [
    'connected to 1 peer (DHT)',
    'acknowledged by 0 of 2 peers; connected to 1 peer (DHT)',
    'acknowledged by 1 of 2 peers; connected to 1 peer (DHT)',
    'acknowledged by 1 of 2 peers; connected to 2 peers (DHT, local socket)'
  ])
})

test('verbose names every peer and every attempt, with the reason', () => {
  const lines = linesOf(
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
    `connecting to peer ${A} (local network)`,
    `cannot connect to peer ${A} (local network): refused`,
    `connected to peer ${A} (DHT)`,
    `closed a second connection to peer ${A} (DHT): keeping local socket`,
    `peer ${A} disconnected (DHT): timed out`
  ])
    assert.ok(lines.includes(expected), `${expected} in ${lines.join('\n')}`)
})

test('an unreachable DHT and its return are notes, a missing local network is a detail', () => {
  const events: NodeStatus[] = [
    { state: 'unreachable', via: 'lan', reason: 'no network' },
    { state: 'unreachable', via: 'dht', reason: 'no answer' },
    { state: 'reachable', via: 'dht' }
  ]
  assert.deepEqual(linesOf(events), ['cannot find peers (DHT): no answer', 'can find peers (DHT)'])
  assert.equal(linesOf(events, 'verbose').length, 3)
  assert.deepEqual(linesOf(events, 'quiet'), [])
})

test('a refusal by a peer is shown once; refusing a peer is a detail', () => {
  const events: NodeStatus[] = [
    { state: 'refused', via: 'local', peer: A, by: 'them', reason: 'it is not allowed' },
    { state: 'refused', via: 'local', peer: A, by: 'them', reason: 'it is not allowed' },
    { state: 'refused', via: 'lan', peer: B, by: 'us', reason: 'too many' }
  ]
  assert.deepEqual(linesOf(events), ['refused by a peer: it is not allowed'])
  const all = linesOf(events, 'verbose')
  assert.ok(all.includes(`refused by peer ${A} (local socket): it is not allowed`))
  assert.ok(all.includes(`refused peer ${B} (local network): too many`))
})
