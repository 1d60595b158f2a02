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

test('five nodes that start at once are all connected, with one connection per pair', async (t) => {
  const machine = await createMachine(t)
  const first = await machine.open('w')
  const { key } = await openWriter(first)
  await first.close()
  const nodes = await Promise.all(['w', 'r1', 'r2', 'r3', 'r4'].map((name) => machine.open(name)))
  const [writing, ...reading] = nodes
  assert.ok(writing !== undefined)
  const [writer, ...readers] = await deadline(
    'all nodes',
    Promise.all([openWriter(writing), ...reading.map((node) => openReader(node, key))])
  )
  await writer.publish(['to all\n'])
  for (const reader of readers) assert.deepEqual(await take(reader.batches(), 1), ['to all\n'])
  // two nodes that called each other at once keep one connection
  await deadline(
    'one connection per pair',
    settled(() => nodes.every((node) => node.peers === 4))
  )
})

async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('the socket of a dead process is removed by the next process that calls it', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('r')
  const { key } = await openWriter(await machine.open('w'))
  const [log] = await readdir(join(machine.directory, 'meet'))
  const directory = join(machine.directory, 'meet', String(log))
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

test('rendezvous directories are private to the user, and closed nodes leave no socket', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  await openWriter(node)
  const root = join(machine.directory, 'meet')
  const [log] = await readdir(root)
  for (const directory of [root, join(root, String(log))])
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
  assert.equal((await readdir(join(root, String(log)))).length, 1)
  await node.close()
  assert.deepEqual(await readdir(join(root, String(log))), [])
})

test('a rendezvous directory that others can enter is reported, and used once they cannot; the log keeps working', async (t) => {
  const machine = await createMachine(t)
  const root = join(machine.directory, 'meet')
  await mkdir(root)
  await chmod(root, 0o755)
  const statuses = createLog()
  const writer = await openWriter(await machine.open('w', { onStatus: statuses.onStatus }))
  const status = await statuses.until('unreachable')
  assert.match(
    status.state === 'unreachable' ? status.reason : '',
    /must be a directory of this user with mode 0700/
  )
  await writer.publish(['still working\n'])
  await chmod(root, 0o700)
  await statuses.until('reachable')
  const reader = await deadline('the reader', openReader(await machine.open('r'), writer.key))
  assert.deepEqual(await take(reader.batches(), 1), ['still working\n'])
})

test('a rendezvous root that is too long for socket paths is refused; the longest possible one works', async (t) => {
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

test('a socket or rendezvous directory that was deleted is made again', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const root = join(machine.directory, 'meet')
  const [log = ''] = await readdir(root)
  const before = await readdir(join(root, log))
  const isBack = async (): Promise<boolean> =>
    (await readdir(join(root, log)).catch(() => [])).join() === before.join()
  for (const path of [join(root, log, before[0] ?? ''), root]) {
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

test('the rendezvous root falls back to the temporary directory if the runtime directory cannot be used', async (t) => {
  const short = await temporary(t)
  assert.equal(rendezvousRoot({ XDG_RUNTIME_DIR: short }), join(short, 'many-cores'))
  for (const unusable of [undefined, 'relative', `/${'long/'.repeat(30)}`]) {
    assert.match(rendezvousRoot({ XDG_RUNTIME_DIR: unusable }), /many-cores-\d+$/)
  }
})
