import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { PassThrough } from 'node:stream'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readInput } from './stdin.ts'

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  return text
}

test('the input is everything that the source yields until its end', async () => {
  const source = new PassThrough()
  source.write('one\n')
  source.write('two\n')
  source.end('three')
  assert.equal(await textOf(readInput(source, new AbortController().signal)), 'one\ntwo\nthree')
})

test('after a signal, buffered data is read; then the input ends, even if the source does not', async () => {
  const source = new PassThrough()
  const ending = new AbortController()
  source.write('held\n')
  ending.abort()
  source.write('and more\n')
  assert.equal(await textOf(readInput(source, ending.signal)), 'held\nand more\n')
})

test('after a signal, a source that continues is read to its end', async () => {
  const ending = new AbortController()
  ending.abort()
  async function* slowly(): AsyncGenerator<Uint8Array> {
    for (const text of ['one\n', 'two\n', 'three\n']) {
      await setTimeout(5)
      yield Buffer.from(text)
    }
  }
  assert.equal(await textOf(readInput(slowly(), ending.signal)), 'one\ntwo\nthree\n')
})

test('a signal ends an input that waits for its source', async () => {
  const source = new PassThrough()
  const ending = new AbortController()
  const input = readInput(source, ending.signal)
  source.write('first\n')
  await input.next()
  const rest = textOf(input)
  ending.abort()
  assert.equal(await rest, '')
})

test('a source that ends after the signal ends the input', async () => {
  const source = new PassThrough()
  const ending = new AbortController()
  ending.abort()
  source.end('last\n')
  assert.equal(await textOf(readInput(source, ending.signal)), 'last\n')
})

test('a source that never pauses is abandoned a second after the signal', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const ending = new AbortController()
  const input = readInput(endless(), ending.signal)
  await input.next()
  // aborted while the consumer works, not while the source is awaited
  ending.abort()
  await input.next()
  t.mock.timers.setTime(1000)
  assert.equal((await input.next()).done, false)
  t.mock.timers.setTime(1001)
  assert.equal((await input.next()).done, true)
})

test('an error of the source is the error of the input', async () => {
  const fault = new Error('unplugged')
  const source = new PassThrough()
  const input = readInput(source, new AbortController().signal)
  const next = input.next()
  source.destroy(fault)
  await assert.rejects(next, fault)
})

test('a delivered chunk is not retained', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const ending = new AbortController()
  const taken: WeakRef<Uint8Array>[] = []
  for await (const chunk of readInput(endless(), ending.signal)) {
    taken.push(new WeakRef(chunk))
    if (taken.length === 1000) break
  }
  // deref keeps its target alive until the end of the event loop's turn
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  const kept = taken.filter((reference) => reference.deref() !== undefined)
  assert.ok(kept.length <= 2, `${kept.length} of 1000 chunks are kept`)
  assert.ok(getEventListeners(ending.signal, 'abort').length <= 1)
})

async function* endless(): AsyncGenerator<Uint8Array> {
  while (true) yield Buffer.alloc(64 * 1024, 'y\n')
}
