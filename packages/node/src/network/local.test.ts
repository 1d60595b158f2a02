import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline, temporary } from '@many-cores/testing'
import { diagnose, openReader, openWriter } from '../index.ts'
import { createLog, createMachine, take } from '../testing/support.ts'
import { rendezvousRoot } from './local.ts'

test('five processes’ worth of nodes that start at once all meet, and nobody twice', async (t) => {
  const machine = await createMachine(t)
  const first = await machine.open('w')
  const { key } = await openWriter(first)
  await first.close()
  const nodes = await Promise.all(['w', 'r1', 'r2', 'r3', 'r4'].map((name) => machine.open(name)))
  const [writing, ...reading] = nodes
  assert.ok(writing !== undefined)
  const [writer, ...readers] = await deadline(
    'everybody',
    Promise.all([openWriter(writing), ...reading.map((node) => openReader(node, key))])
  )
  await writer.publish(['to all\n'])
  for (const reader of readers) assert.deepEqual(await take(reader.batches(), 1), ['to all\n'])
  // pairs that called each other at once keep one connection
  await deadline(
    'one connection a pair',
    settled(() => nodes.every((node) => node.peers === 4))
  )
})

async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('the socket of a dead process is removed by whoever meets it', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('r')
  const { key } = await openWriter(await machine.open('w'))
  const [place] = await readdir(join(machine.directory, 'meet'))
  const directory = join(machine.directory, 'meet', String(place))
  const dead = join(directory, '0123456789abcdef.sock')
  const script = `require('node:net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script]), 'exit')
  assert.ok((await readdir(directory)).includes('0123456789abcdef.sock'))
  await openReader(node, key)
  await deadline(
    'the removal',
    (async () => {
      while ((await readdir(directory)).includes('0123456789abcdef.sock')) await new Promise(setImmediate)
    })()
  )
})

test('rendezvous directories are the user’s own, and closed nodes leave no socket', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  await openWriter(node)
  const root = join(machine.directory, 'meet')
  const [place] = await readdir(root)
  for (const directory of [root, join(root, String(place))])
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
  assert.equal((await readdir(join(root, String(place)))).length, 1)
  await node.close()
  assert.deepEqual(await readdir(join(root, String(place))), [])
})

test('a rendezvous directory that others can enter is refused in words, and used once they cannot; the log works on', async (t) => {
  const machine = await createMachine(t)
  const root = join(machine.directory, 'meet')
  await mkdir(root)
  await chmod(root, 0o755)
  const log = createLog()
  const writer = await openWriter(await machine.open('w', { onStatus: log.onStatus }))
  const status = await log.until('unreachable')
  assert.match(status.state === 'unreachable' ? status.reason : '', /is not a directory of this user alone/)
  await writer.publish(['all the same\n'])
  await chmod(root, 0o700)
  await log.until('reachable')
  const reader = await deadline('the reader', openReader(await machine.open('r'), writer.key))
  assert.deepEqual(await take(reader.batches(), 1), ['all the same\n'])
})

test('a rendezvous root whose sockets would have paths that are too long is refused; the longest is met in', async (t) => {
  const machine = await createMachine(t)
  const longest = join(machine.directory, 'x'.repeat(62 - machine.directory.length))
  const [writer, reading] = [
    await openWriter(await machine.open('w', { rendezvous: longest })),
    await machine.open('r', { rendezvous: longest })
  ]
  await deadline('the reader', openReader(reading, writer.key))
  const tooLong = `${longest}x`
  await assert.rejects(machine.open('other', { rendezvous: tooLong }), { code: 'BAD_OPTION' })
  await assert.rejects(diagnose({ local: true, rendezvous: tooLong }).next(), { code: 'BAD_OPTION' })
})

test('a name that has gone from a rendezvous directory is put back, and the directory with it', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const root = join(machine.directory, 'meet')
  const [place = ''] = await readdir(root)
  const before = await readdir(join(root, place))
  const isBack = async (): Promise<boolean> =>
    (await readdir(join(root, place)).catch(() => [])).join() === before.join()
  for (const path of [join(root, place, before[0] ?? ''), root]) {
    await rm(path, { recursive: true })
    await deadline(
      'its return',
      (async () => {
        while (!(await isBack())) await new Promise(setImmediate)
      })()
    )
  }
  await deadline('the reader', openReader(await machine.open('r'), writer.key))
})

test('the rendezvous root falls back to the temporary directory where the runtime directory cannot serve', async (t) => {
  const short = await temporary(t)
  assert.equal(rendezvousRoot({ XDG_RUNTIME_DIR: short }), join(short, 'many-cores'))
  for (const unusable of [undefined, 'relative', `/${'long/'.repeat(30)}`]) {
    assert.match(rendezvousRoot({ XDG_RUNTIME_DIR: unusable }), /many-cores-\d+$/)
  }
})
