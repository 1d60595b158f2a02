import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockBatches, lineBatches } from './input.ts'

const TEXT = 'a\nbcd\n\nefghij\nk'

test('lines are whole wherever the chunks end, and in batches', async () => {
  for (let size = 1; size <= TEXT.length; size++) {
    const batches = await texts(lineBatches(chunks(size), 2))
    assert.deepEqual(batches, [['a\n', 'bcd\n'], ['\n', 'efghij\n'], ['k']])
  }
})

test('blocks are full wherever the chunks end, but the last', async () => {
  for (let size = 1; size <= TEXT.length; size++) {
    const batches = await texts(blockBatches(chunks(size), { size: 4, count: 2 }))
    assert.deepEqual(batches, [
      ['a\nbc', 'd\n\ne'],
      ['fghi', 'j\nk']
    ])
  }
})

async function* chunks(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < TEXT.length; at += size) yield Buffer.from(TEXT.slice(at, at + size))
}

async function texts(batches: AsyncIterable<Buffer[]>): Promise<string[][]> {
  const all: string[][] = []
  for await (const batch of batches) all.push(batch.map(String))
  return all
}
