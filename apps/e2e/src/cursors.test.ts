import assert from 'node:assert/strict'
import test from 'node:test'
import Corestore from 'corestore'
import { numberedLines } from './harness/samples.ts'
import { Sandbox } from './harness/sandbox.ts'

/** Stores what is no cursor under the name of one. */
async function damageCursor(storage: string, key: string, name: string): Promise<void> {
  const store = new Corestore(storage)
  const bootstrap = store.get({ key: Buffer.from(key, 'hex') })
  await bootstrap.ready()
  await bootstrap.setUserData(`many-cores/cursor/${name}`, Buffer.from('{"place":-1'))
  await store.close()
}

test('a damaged cursor is named with 8, listed beside the others, and removed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish(numberedLines(0, 10))
  const writer = await sandbox.writer()
  const read = ['--raw', '--count', '4']
  for (const args of [read, [...read, '--group', 'other']])
    await (await sandbox.reader(key, { args })).ends(0)
  await damageCursor(sandbox.path('reader'), key, 'default')

  const refused = await sandbox.reader(key, { args: read })
  await refused.ends(8)
  assert.match(refused.stderr.text, /cursor default/)
  assert.equal(refused.stdout.text, '')
  const listed = await sandbox.reader(key, { command: 'cursors' })
  await listed.ends(0)
  assert.deepEqual(
    listed.stdout.lines.slice(1).map((line) => line.split(/ +/)),
    [
      ['default', 'damaged', '-'],
      ['other', '4', '6']
    ]
  )
  await (await sandbox.reader(key, { command: 'cursors', args: ['--remove', 'default'] })).ends(0)
  const again = await sandbox.reader(key, { args: read })
  await again.ends(0)
  assert.equal(again.stdout.text, numberedLines(0, 4))
  writer.end()
})
