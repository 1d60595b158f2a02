import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createWorkload } from './workloads.ts'

let directory: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mcb-'))
})

after(() => rm(directory, { recursive: true }))

test('W1 has 30 % short lines and otherwise lines of 20 to 200 bytes', async () => {
  const { file, bytes } = createWorkload(directory, 'W1', 20_000)
  const text = await readFile(file, 'latin1')
  assert.equal(text.length, bytes)
  const lengths = text.split(/(?<=\n)/).map((line) => line.length)
  assert.equal(lengths.length, 20_000)
  const short = lengths.filter((length) => length <= 4)
  assert.ok(short.length > 5700 && short.length < 6300, `${short.length} short lines`)
  const long = lengths.filter((length) => length > 4)
  assert.deepEqual([Math.min(...short), Math.max(...short)], [1, 4])
  assert.deepEqual([Math.min(...long), Math.max(...long)], [20, 200])
})

test('fewer lines are a prefix of more, W4 has the lines of W1', async () => {
  const few = await readFile(createWorkload(directory, 'W1', 100).file)
  const more = await readFile(createWorkload(directory, 'W4', 1000).file)
  assert.deepEqual(more.subarray(0, few.byteLength), few)
})

test('W2 and W3 have lines of one length, across the chunks that are written', async () => {
  for (const [name, length] of [
    ['W2', 4096],
    ['W3', 65_536]
  ] as const) {
    const { file, bytes } = createWorkload(directory, name, 40)
    const content = await readFile(file)
    assert.equal(bytes, 40 * length)
    assert.equal(content.byteLength, bytes)
    for (let line = 1; line <= 40; line++)
      assert.equal(content.indexOf(0x0a, (line - 1) * length), line * length - 1)
  }
})
