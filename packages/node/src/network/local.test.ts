import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
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

test('the rendezvous root is the same in each environment of a user, unless a variable names another', (t) => {
  const before = { ...process.env }
  t.after(() => {
    process.env = before
  })
  const roots = ['/run/user/0', '/elsewhere', ''].map((directory) => {
    process.env = { XDG_RUNTIME_DIR: directory, TMPDIR: directory, HOME: directory }
    return rendezvousRoot()
  })
  assert.equal(new Set(roots).size, 1)
  assert.equal(roots[0], `/tmp/many-cores-${process.getuid?.()}`)
  process.env.MANY_CORES_RENDEZVOUS = '/srv/meet'
  assert.equal(rendezvousRoot(), '/srv/meet')
  assert.equal(rendezvousRoot('/srv/option'), '/srv/option')
  for (const unusable of ['relative', `/${'long/'.repeat(30)}`])
    assert.throws(() => rendezvousRoot(unusable), { code: 'BAD_OPTION' })
})

test('a rendezvous directory that another user made first is named, with its owner, and not used', {
  skip: process.getuid?.() === 0 ? false : 'only root can make a directory of another user'
}, async (t) => {
  const machine = await createMachine(t)
  const root = join(machine.directory, 'meet')
  await mkdir(root, { mode: 0o777 })
  await chown(root, 65534, 65534)
  const statuses = createLog()
  await openWriter(await machine.open('w', { onStatus: statuses.onStatus }))
  const status = await statuses.until('unreachable')
  assert.ok(status.state === 'unreachable')
  assert.ok(status.reason.startsWith(root), status.reason)
  assert.match(status.reason, /another user \(uid 65534\)/)
  assert.deepEqual(await readdir(root), [])
})
