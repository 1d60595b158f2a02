import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { temporary } from '@many-cores/testing'
import { runAlone, whyNotAlone } from '../testing/alone.ts'
import { lanName } from './lan.ts'

const ALONE = new URL('../testing/lan-alone.js', import.meta.url)

for (const [scenario, fact] of [
  ['many', 'two nodes with thirty logs each find each other by the last one'],
  ['looks', 'the first look for a log is its own, however long ago the one before was'],
  ['taken', 'a port that another process has is reported once, and once that it is free again'],
  ['nowhere', 'what cannot be used is reported as what it is: this machine, the network, the DHT'],
  ['v6', 'a network without IPv4 is not taken for none, and is used once it has an address']
] as const)
  test(fact, { skip: whyNotAlone }, async (t) => {
    assert.deepEqual(await runAlone(ALONE, [scenario, await temporary(t)]), { code: 0, output: '' })
  })

test('the name of a log in the network is the same for everybody, and does not tell the discovery key', () => {
  const discoveryKey = Buffer.alloc(32, 7)
  const name = lanName(discoveryKey)
  // others must come to the same: never changed
  assert.equal(
    name,
    createHash('sha256').update('many-cores/lan').update(discoveryKey).digest('hex').slice(0, 32)
  )
  assert.match(name, /^[0-9a-f]{32}$/)
  assert.notEqual(name, discoveryKey.toString('hex').slice(0, 32))
  assert.notEqual(name, lanName(randomBytes(32)))
})
