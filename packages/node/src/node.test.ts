import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline, temporary } from '@many-cores/testing'
import { diagnose, openNode, openReader, openWriter } from './index.ts'
import { createMachine } from './testing/support.ts'

test('a store in use is refused, and can be opened after close', async (t) => {
  const machine = await createMachine(t)
  const first = await machine.open('store')
  await assert.rejects(machine.open('store'), {
    code: 'STORE_IN_USE',
    message: process.platform === 'linux' ? /in use by this process/ : /in use/
  })
  await first.close()
  const again = await machine.open('store')
  assert.equal(again.id, first.id, 'the peer key is the store’s own')
})

test('close is idempotent and closes writers and readers first', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('store')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const following = reader.follow().next()
  assert.equal(node.close(), node.close())
  await node.close()
  assert.deepEqual(await following, { done: true, value: undefined })
  await assert.rejects(writer.publish(['late\n']), { code: 'CLOSED' })
  await assert.rejects(openWriter(node), { code: 'CLOSED' })
})

test('a directory with other files is refused, and its files are not changed', async (t) => {
  const directory = join(await temporary(t), 'other')
  await mkdir(directory)
  await writeFile(join(directory, 'letter.txt'), 'dear reader')
  await assert.rejects(openNode({ storage: directory, local: true }), {
    code: 'STORE_REFUSED',
    message: /contains other files/
  })
  assert.deepEqual(await readdir(directory), ['letter.txt'])
  assert.equal(await readFile(join(directory, 'letter.txt'), 'utf8'), 'dear reader')
})

test('a store whose process was killed during its creation can be opened', async (t) => {
  const machine = await createMachine(t)
  const directory = join(machine.directory, 'store')
  await mkdir(directory)
  await writeFile(join(directory, 'CORESTORE'), '')
  const writer = await openWriter(await machine.open('store'))
  assert.deepEqual(await writer.publish(['hello\n']), { position: 0, count: 1 })
})

for (const [what, damage] of Object.entries({
  'is gone': (db: string) => rm(db, { recursive: true }),
  'has no files': async (db: string) => {
    for (const name of await readdir(db)) await rm(join(db, name))
  },
  'lost its secret with the start of its log': async (db: string, killed: string) => {
    await rm(db, { recursive: true })
    await cp(killed, db, { recursive: true })
    const [log = ''] = (await readdir(db)).filter((name) => name.endsWith('.log'))
    const bytes = await readFile(join(db, log))
    await writeFile(join(db, log), bytes.fill(0, 0, 64))
  }
})) {
  test(`a store whose database ${what} is refused at every start, and not created again`, async (t) => {
    const machine = await createMachine(t)
    const node = await machine.open('store')
    await (await openWriter(node)).publish(['line\n'])
    const [db, killed] = [join(node.storage, 'db'), join(machine.directory, 'killed')]
    await cp(db, killed, { recursive: true })
    await node.close()
    await damage(db, killed)
    for (const _ of ['first', 'and again'])
      await assert.rejects(machine.open('store'), { code: 'STORE_DAMAGED' })
  })
}

test('a path that is a file, or is under one, is refused with a message that names it', async (t) => {
  const file = join(await temporary(t), 'file')
  await writeFile(file, '')
  for (const storage of [file, join(file, 'below')]) {
    await assert.rejects(openNode({ storage, local: true }), {
      code: 'STORE_REFUSED',
      message: new RegExp(`^${storage}: the store cannot be used: `)
    })
  }
})

test('a link to nothing, or a file system that takes no directory, is refused at once', async (t) => {
  const directory = await temporary(t)
  const link = join(directory, 'link')
  await symlink(join(directory, 'nothing'), link)
  const places = [link, join(link, 'below'), ...(process.platform === 'linux' ? ['/proc/many-cores'] : [])]
  for (const storage of places) {
    const opening = openNode({ storage, local: true })
    await assert.rejects(deadline('a refusal', opening), {
      code: 'STORE_REFUSED',
      message: /the store cannot be used: (no directory|.* is a link)/
    })
  }
})

test('a store is readable by its owner alone', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('store')
  assert.equal((await stat(node.storage)).mode & 0o777, 0o700)
})

test('a store does not grow by being opened again and again', async (t) => {
  const machine = await createMachine(t)
  const filesAfter = async (times: number): Promise<number> => {
    let storage = ''
    for (let time = 0; time < times; time++) {
      const node = await machine.open('store')
      storage = node.storage
      await (await openWriter(node)).publish(['line\n'])
      await node.close()
    }
    return (await readdir(join(storage, 'db'))).length
  }
  const few = await filesAfter(10)
  const many = await filesAfter(20)
  assert.ok(many <= few + FILES_OF_COMPACTION, `${few} files, then ${many}`)
})

/** RocksDB merges four small files of a kind into one. */
const FILES_OF_COMPACTION = 8

test('an aborted open leaves nothing behind', async (t) => {
  const machine = await createMachine(t)
  const storage = join(machine.directory, 'store')
  await assert.rejects(
    machine.open('store', { signal: AbortSignal.abort(new Error('changed my mind')) }),
    /changed my mind/
  )
  assert.equal(existsSync(storage), false)
  await machine.open('store')
})

test('local and bootstrap exclude each other, and a bad address is named', async (t) => {
  const storage = join(await temporary(t), 'store')
  await assert.rejects(openNode({ storage, local: true, bootstrap: ['127.0.0.1:1'] }), { code: 'BAD_OPTION' })
  await assert.rejects(openNode({ storage, bootstrap: ['nonsense'] }), {
    code: 'BAD_OPTION',
    message: /"nonsense"/
  })
  assert.equal(existsSync(storage), false)
})

test('an invalid storage path is BAD_OPTION', async () => {
  for (const storage of [undefined, 5, ''])
    await assert.rejects(openNode({ storage: storage as string, local: true }), { code: 'BAD_OPTION' })
})

test('an unknown option and a value of the wrong type are BAD_OPTION, and name the option', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const storage = join(machine.directory, 'new')
  const badOption = (message: RegExp) => ({ name: 'NodeError', code: 'BAD_OPTION', message })
  const opened: [object, RegExp][] = [
    [{ storge: storage }, /"storge".*storage/],
    [{ allow: 'ab'.repeat(32) }, /allow.*array/],
    [{ bootstrap: '127.0.0.1:9' }, /bootstrap.*array/],
    [{ local: 'yes' }, /local/],
    [{ fsync: 0 }, /fsync/],
    [{ onStatus: console }, /onStatus.*function/]
  ]
  for (const [options, message] of opened)
    await assert.rejects(openNode({ storage, lan: false, ...options }), badOption(message))
  assert.equal(existsSync(storage), false)

  const rounting = { rounting: { rule: 'hash', cores: 4 } } as object
  await assert.rejects(openWriter(node, rounting), badOption(/"rounting".*routing/))
  const writer = await openWriter(node)
  const checkpint = { checkpint: { name: 'a', value: 'b' } } as object
  await assert.rejects(writer.publish(['a line\n'], checkpint), badOption(/"checkpint".*checkpoint/))
  await assert.rejects(writer.publishStream(['a line\n'], checkpint), badOption(/checkpint/))
  assert.deepEqual(await writer.publish(['a line\n']), { position: 0, count: 1 })

  for (const timeout of ['x', -1, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(openReader(node, writer.key, { timeout: timeout as number }), badOption(/timeout/))
  const reader = await openReader(node, writer.key, { timeout: undefined } as object)
  for (const [options, message] of [
    [{ form: 'start' }, /"form".*from/],
    [{ cores: 'short' }, /cores.*array/],
    [{ live: 'no' }, /live/]
  ] as [object, RegExp][]) {
    await assert.rejects(reader.batches(options).next(), badOption(message))
    await assert.rejects(reader.follow(options).next(), badOption(message))
  }
  await assert.rejects(reader.length({ timeuot: 5 } as object), badOption(/timeuot/))
  await assert.rejects(diagnose({ timeout: 'x' } as object).next(), badOption(/timeout/))
})

test('a DHT that does not answer delays neither opening nor closing', async (t) => {
  const machine = await createMachine(t)
  // no process listens on the discard port
  const node = await machine.open('store', { local: false, bootstrap: ['127.0.0.1:9'] })
  const writer = await deadline('the writer', openWriter(node), 2000)
  await writer.publish(['hello\n'])
  await deadline('close', node.close(), 2500)
})
