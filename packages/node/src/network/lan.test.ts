import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { lanName } from './lan.ts'

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
