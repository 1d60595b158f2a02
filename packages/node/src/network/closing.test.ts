import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import createTestnet from 'hyperdht/testnet.js'
import { runAlone, runScript, whyNotAlone } from '../testing/alone.ts'

const CLOSING = new URL('../testing/closing.js', import.meta.url)

test('a node that is closed while it joins leaves nothing behind with local discovery', async (t) => {
  assert.deepEqual(await runScript(CLOSING, [await temporary(t), 'local']), { code: 0, output: '' })
})

test('a node that is closed while it joins leaves nothing behind with a DHT', async (t) => {
  const testnet = await createTestnet(3, { host: '127.0.0.1' })
  atEnd(t, () => testnet.destroy())
  const port = String(testnet.bootstrap[0]?.port)
  assert.deepEqual(await runScript(CLOSING, [await temporary(t), 'dht', port]), { code: 0, output: '' })
})

test('a node that is closed while it joins leaves nothing behind with LAN discovery', {
  skip: whyNotAlone
}, async (t) => {
  assert.deepEqual(await runAlone(CLOSING, [await temporary(t), 'lan', '9']), { code: 0, output: '' })
})
