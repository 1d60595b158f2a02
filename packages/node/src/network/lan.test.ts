import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { temporary } from '@many-cores/testing'
import { runAlone, whyNotAlone } from '../testing/alone.ts'
import { lanName } from './lan.ts'

const ALONE = new URL('../testing/lan-alone.js', import.meta.url)

for (const [scenario, fact] of [
  ['many', 'two nodes with thirty logs each find each other by their only shared log'],
  ['searches', 'the first search for a log takes its time, even if another log was searched for before'],
  ['taken', 'a port that another process uses is reported once, and its recovery once'],
  ['nowhere', 'local, LAN and DHT discovery report separately that they do not work'],
  ['v6', 'a network without IPv4 is reported as such, and used once it has an address']
] as const)
  test(fact, { skip: whyNotAlone }, async (t) => {
    assert.deepEqual(await runAlone(ALONE, [scenario, await temporary(t)]), { code: 0, output: '' })
  })

test('the LAN name of a log is the same on every machine, and does not reveal the discovery key', () => {
  const discoveryKey = Buffer.alloc(32, 7)
  const name = lanName(discoveryKey)
  // part of the wire format
  assert.equal(
    name,
    createHash('sha256').update('many-cores/lan').update(discoveryKey).digest('hex').slice(0, 32)
  )
  assert.match(name, /^[0-9a-f]{32}$/)
  assert.notEqual(name, discoveryKey.toString('hex').slice(0, 32))
  assert.notEqual(name, lanName(randomBytes(32)))
})
