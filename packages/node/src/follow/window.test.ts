import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import Corestore from 'corestore'
import { Blocks } from './blocks.ts'
import { Window } from './window.ts'

const MIB = 1 << 20

test('a consumer that takes nothing stops the reading after 8 MiB, and one that goes on gets all, in order', async (t) => {
  const store = new Corestore(await temporary(t))
  atEnd(t, () => store.close())
  const core = store.get({ name: 'core' })
  for (let index = 0; index < 64; index++) await core.append(Buffer.alloc(MIB, index))
  const blocks = new Blocks('core', core)
  const window = new Window()
  let landed = 0
  const expected = Array.from({ length: 64 }, async (_, index) => {
    const block = await window.expect(blocks, index)
    landed++
    return block
  })
  // every block is on the disk: those that were asked for land before a read that begins after the first of them
  await expected[0]
  for (let index = 0; index < 64; index++) await core.get(index)
  assert.ok(landed <= 17, `${landed} MiB are held for a consumer that took none`)
  for (const [index, block] of expected.entries()) {
    assert.equal((await block)[0], index)
    window.release(MIB)
  }
  await blocks.close()
})
