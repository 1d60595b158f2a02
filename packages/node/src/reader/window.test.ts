import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { Blocks } from './blocks.ts'
import { Window } from './window.ts'

const MIB = 1 << 20

async function openCore(t: TestContext, sizes: readonly number[]): Promise<Hypercore> {
  const store = new Corestore(await temporary(t))
  atEnd(t, () => store.close())
  const core = store.get({ name: 'core' })
  for (const [index, size] of sizes.entries()) await core.append(Buffer.alloc(size, index))
  return core
}

/** A consumer of all blocks of `core`, which are stored. */
class Consumer {
  readonly blocks: Promise<Uint8Array>[]
  readonly #core: Hypercore
  readonly #window = new Window()
  #held = 0

  constructor(core: Hypercore) {
    this.#core = core
    const session = new Blocks('core', core)
    this.blocks = Array.from({ length: core.length }, async (_, index) => {
      const block = await this.#window.request(session, index)
      this.#held += block.byteLength
      return block
    })
  }

  /** Bytes delivered and not consumed yet, once all requested blocks have arrived. */
  async held(): Promise<number> {
    // these reads begin after those of the window, and end after them
    for (let index = 0; index < this.#core.length; index++) await this.#core.get(index)
    return this.#held
  }

  async consume(index: number): Promise<Uint8Array> {
    const block = await (this.blocks[index] as Promise<Uint8Array>)
    this.#held -= block.byteLength
    this.#window.release(block.byteLength)
    return block
  }
}

test('a consumer that pauses stops the reading after 8 MiB, and gets all blocks in order when it resumes', async (t) => {
  const consumer = new Consumer(
    await openCore(
      t,
      Array.from({ length: 64 }, () => MIB)
    )
  )
  await consumer.blocks[0]
  const held = await consumer.held()
  assert.ok(held <= 8 * MIB, `${held} bytes are held for a consumer that consumed none`)
  for (let index = 0; index < 64; index++) assert.equal((await consumer.consume(index))[0], index)
})

test('large blocks after small ones take no more memory than the window and the next block', async (t) => {
  const consumer = new Consumer(
    await openCore(t, [
      ...Array.from({ length: 64 }, () => 100),
      ...Array.from({ length: 40 }, () => 3 * MIB)
    ])
  )
  for (let index = 0; index < 64; index++) await consumer.consume(index)
  await consumer.blocks[64]
  const held = await consumer.held()
  assert.ok(held <= (8 + 3) * MIB, `${held} bytes are held`)
  for (let index = 64; index < 104; index++) assert.equal((await consumer.consume(index))[0], index)
})

test('blocks larger than the window are read one at a time', async (t) => {
  const consumer = new Consumer(await openCore(t, [100, 9 * MIB, 100, 15 * MIB, 15 * MIB, 100]))
  for (const [index, size] of [100, 9 * MIB, 100, 15 * MIB, 15 * MIB, 100].entries()) {
    await consumer.blocks[index]
    const held = await consumer.held()
    assert.ok(held <= Math.max(8 * MIB, size) + 8 * MIB, `${held} bytes are held before block ${index}`)
    assert.equal((await consumer.consume(index)).byteLength, size)
  }
})
