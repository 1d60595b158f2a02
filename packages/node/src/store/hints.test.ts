import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { deferHints } from './hints.ts'

const BLOCKS = 200

/** Replicates one core to a second store, and counts how often that one writes hints. */
async function replicate(
  directory: string,
  isDeferred: boolean
): Promise<{ readonly source: Hypercore; readonly copy: Hypercore; writes: number; close(): Promise<void> }> {
  const stores = ['w', 'r'].map((name) => new Corestore(join(directory, name))) as [Corestore, Corestore]
  const [from, to] = stores
  const source = from.get({ name: 'core' })
  await source.ready()
  const pair = {
    source,
    writes: 0,
    close: async () => void (await Promise.all(stores.map((store) => store.close())))
  }
  to.watch((core) => {
    const flush = core.flushHints.bind(core)
    core.flushHints = () => {
      pair.writes++
      return flush()
    }
  })
  if (isDeferred) deferHints(to)
  const copy = to.get({ key: source.key as Uint8Array })
  await copy.ready()
  const stream = from.replicate(true)
  stream.pipe(to.replicate(false)).pipe(stream)
  return Object.assign(pair, { copy })
}

for (const isDeferred of [false, true]) {
  test(`hints are written ${isDeferred ? 'a few times a second' : 'with every block if they are not deferred'}`, async (t) => {
    const pair = await replicate(await temporary(t), isDeferred)
    atEnd(t, () => pair.close())
    const began = performance.now()
    for (let index = 0; index < BLOCKS; index++) {
      const block = pair.copy.get(index)
      await pair.source.append(Buffer.from(`${index}`))
      await deadline('a block', block)
    }
    const took = performance.now() - began
    t.diagnostic(`${pair.writes} times for ${BLOCKS} blocks in ${Math.round(took)} ms`)
    assert.equal(pair.copy.contiguousLength, BLOCKS)
    if (isDeferred) assert.ok(pair.writes <= 1 + took / 100, `${pair.writes} times in ${took} ms`)
    else assert.ok(pair.writes >= BLOCKS)
  })
}

test('a store that is closed before its hints are written counts its blocks when it is opened again', async (t) => {
  const directory = await temporary(t)
  const pair = await replicate(directory, true)
  for (let index = 0; index < BLOCKS; index++) {
    await pair.source.append(Buffer.from(`${index}`))
    await deadline('a block', pair.copy.get(index))
  }
  const { key } = pair.copy
  await pair.close()
  const again = new Corestore(join(directory, 'r'))
  atEnd(t, () => again.close())
  const core = again.get({ key: key as Uint8Array })
  await core.ready()
  assert.equal(core.contiguousLength, BLOCKS)
})
