import assert from 'node:assert/strict'
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { assertOneSentence } from './harness/assertions.ts'
import { openLoopback } from './harness/loopback.ts'
import type { Program } from './harness/program.ts'
import { linesOf, numberedLines } from './harness/samples.ts'
import { ended, idOf, keyOf, Sandbox, type StartOptions } from './harness/sandbox.ts'

const RAW = ['--raw']

const whyNotRoot = process.getuid?.() === 0 ? false : 'only root can run a program as another user'

/** The rows that `reader cursors` prints: name, position, lag. */
async function cursorsOf(sandbox: Sandbox, key: string): Promise<string[][]> {
  const { stdout } = await ended(sandbox.reader(key, { command: 'cursors' }))
  return stdout.lines.slice(1).map((line) => line.split(/ +/))
}

test('one user reads any number of logs at once, without a flag', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writers = await Promise.all(['a', 'b', 'c'].map((storage) => sandbox.writer({ storage })))
  const keys = await Promise.all(writers.map(keyOf))
  const readers = await Promise.all(keys.map((key) => sandbox.reader(key, { args: RAW, storage: null })))
  for (const [index, writer] of writers.entries()) await writer.write(`log ${index}\n`)
  for (const [index, reader] of readers.entries())
    assert.deepEqual(await reader.stdout.firstLines(1), [`log ${index}`])
})

test('over a DHT, two readers of one user are allowed by one id, get new lines of writers that restart, and serve both logs when the writers are gone', async (t) => {
  const { address: bootstrap } = await openLoopback(t)
  const sandbox = await Sandbox.open(t)
  // no common rendezvous: the DHT is the only way
  const on = (run: string): StartOptions => ({ bootstrap, env: { XDG_RUNTIME_DIR: sandbox.path(run) } })
  const allow = ['--allow', await idOf(sandbox, 'reader', 'reader')]
  const write = (): Promise<Program[]> =>
    Promise.all(['a', 'b'].map((storage) => sandbox.writer({ ...on(storage), storage, args: allow })))
  let writers = await write()
  const keys = await Promise.all(writers.map(keyOf))
  const readers = await Promise.all(
    keys.map((key, index) => sandbox.reader(key, { ...on(`r${index}`), args: RAW }))
  )
  for (const [index, writer] of writers.entries()) await writer.write(`log ${index}\n`)
  for (const [index, reader] of readers.entries())
    assert.deepEqual(await reader.stdout.firstLines(1), [`log ${index}`])
  await Promise.all(writers.map((writer) => writer.kill()))
  writers = await write()
  for (const [index, writer] of writers.entries()) await writer.write(`again ${index}\n`)
  for (const [index, reader] of readers.entries())
    assert.deepEqual(await reader.stdout.firstLines(2), [`log ${index}`, `again ${index}`])
  await Promise.all(writers.map((writer) => writer.kill()))
  for (const [index, key] of keys.entries()) {
    const late = await sandbox.reader(key, { ...on(`late${index}`), storage: `late${index}`, args: RAW })
    assert.deepEqual(await late.stdout.firstLines(2), [`log ${index}`, `again ${index}`])
  }
})

test('a second plain reader of a log starts where the cursor stands, says so, and does not move it', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(numberedLines(0, 10))
  await ended(sandbox.reader(key, { args: ['--raw', '--count', '6'] }))
  const first = await sandbox.reader(key, { args: RAW })
  await first.stdout.firstLines(4)
  // it holds the cursor, and delivers nothing
  first.signal('SIGSTOP')
  await writer.write(numberedLines(10, 3))
  const second = await ended(sandbox.reader(key, { args: [...RAW, '--count', '3'] }))
  assert.ok(numberedLines(6, 7).includes(second.stdout.text), second.stdout.text)
  assert.match(
    second.stderr.text,
    new RegExp(`in use by process ${first.pid}: starting there, without moving it`)
  )
  await first.kill()
  const third = await ended(sandbox.reader(key, { args: [...RAW, '--exit'] }))
  assert.ok(third.stdout.text.startsWith(second.stdout.text))
})

test('a group has one process: a second one gets 7 and what to do; another group reads beside it', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write('one\n')
  const first = await sandbox.reader(key, { args: [...RAW, '--group', 'g'] })
  await first.stdout.firstLines(1)
  const second = await ended(sandbox.reader(key, { args: [...RAW, '--quiet', '--group', 'g'] }), 7)
  assertOneSentence(second)
  assert.match(second.stderr.text, /cursor g .*use another --group/)
  if (process.platform === 'linux') assert.match(second.stderr.text, new RegExp(`process ${first.pid}\\b`))
  const moved = await ended(sandbox.reader(key, { command: 'cursors', args: ['--set', 'g=0'] }), 7)
  assertOneSentence(moved)
  const other = await sandbox.reader(key, { args: [...RAW, '--group', 'h'] })
  assert.deepEqual(await other.stdout.firstLines(1), ['one'])
  await writer.write('two\n')
  for (const reader of [first, other]) assert.deepEqual(await reader.stdout.firstLines(2), ['one', 'two'])
  await other.kill()
  // a lock ends with its process
  await first.kill()
  const third = await sandbox.reader(key, { args: [...RAW, '--group', 'g', '--from', 'start'] })
  assert.deepEqual(await third.stdout.firstLines(2), ['one', 'two'])
})

test('while a reader runs, its cursors, their lag and its id can be seen, and its log can be verified', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(numberedLines(0, 10))
  await ended(sandbox.reader(key, { args: [...RAW, '--group', 'slow', '--count', '4'] }))
  const id = await idOf(sandbox, 'reader', 'reader')
  const reader = await sandbox.reader(key, { args: RAW })
  await reader.stdout.firstLines(10)
  await reader.stderr.says('live')
  // with the writer gone, only the running reader knows the length
  await writer.kill()
  const rows = await cursorsOf(sandbox, key)
  assert.deepEqual(
    rows.map(([name, , lag]) => [name, lag === '0' || lag === '6' ? lag : 'wrong']),
    [
      ['default', '0'],
      ['slow', '6']
    ]
  )
  assert.equal(await idOf(sandbox, 'reader', 'reader'), id)
  const verify = await ended(sandbox.reader(key, { command: 'verify' }))
  assert.match(verify.stdout.text, /^verified 10 lines/)
  assert.match(verify.stderr.text, /another process uses the store/)
  assert.ok(reader.isRunning)
})

test('a writer with a name has a store and a key of its own, beside the plain one', async (t) => {
  const sandbox = await Sandbox.open(t)
  const plain = await sandbox.writer({ storage: null })
  const key = await keyOf(plain)
  const named = await sandbox.writer({ storage: null, args: ['--name', 'other'] })
  assert.notEqual(await keyOf(named), key)
  const second = await ended(sandbox.writer({ storage: null }), 7)
  assert.match(second.stderr.text, /--name NAME/)
  const id = await ended(sandbox.run('writer', { command: 'id', storage: null, args: ['--name', 'other'] }))
  await named.stderr.says('finding peers')
  assert.match(id.stdout.text, /^\w{64}\n$/)
  assert.deepEqual((await readdir(sandbox.path('home/.local/share/many-cores/writer'))).sort(), [
    'default',
    'other'
  ])
  for (const name of ['', '..', '.hidden', 'a/b'])
    await ended(sandbox.writer({ storage: null, args: [`--name=${name}`] }), 2)
  await Promise.all([plain.kill(), named.kill()])
  const again = await sandbox.writer({ storage: null, args: ['--name', 'default'] })
  assert.equal(await keyOf(again), key)
})

test('an empty HOME is ignored: the store is not in the current directory', async (t) => {
  const sandbox = await Sandbox.open(t)
  const args = ['--name', 'a-name-that-this-user-does-not-have']
  const options = { command: 'key', storage: null, env: { HOME: '' }, args }
  const { stderr } = await ended(sandbox.run('writer', options), 3)
  const directory = join(userInfo().homedir, '.local/share/many-cores/writer')
  assert.match(stderr.text, new RegExp(`^writer: ${directory}/${args[1]} has no log`))
})

test('a user without a home directory: 2, and what to set', { skip: whyNotRoot }, async (t) => {
  const sandbox = await Sandbox.open(t)
  // not in the user database
  const options = { command: 'key', storage: null, env: { HOME: '' }, uid: 654_321 }
  const { stderr } = await ended(sandbox.run('writer', options), 2)
  assert.match(stderr.text, /^writer: this user has no home directory: [^\n]*--storage\n$/)
})

test('stores of earlier versions: 8, and how to go on', async (t) => {
  const sandbox = await Sandbox.open(t)
  const base = 'home/.local/share/many-cores'
  const key = await sandbox.publish('old\n', { storage: 'old' })
  await mkdir(sandbox.path(base), { recursive: true })
  await rename(sandbox.path('old'), sandbox.path(`${base}/writer`))
  const writer = await ended(sandbox.writer({ storage: null }), 8)
  assertOneSentence(writer)
  assert.match(writer.stderr.text, /--storage/)
  const continued = await sandbox.publish('new\n', { storage: `${base}/writer` })
  assert.equal(continued, key)
  // the store of a reader had its cursors inside, and no file `peer`
  await rename(sandbox.path(`${base}/writer`), sandbox.path(`${base}/reader`))
  await rm(sandbox.path(`${base}/reader/peer`))
  for (const options of [{}, { command: 'id' }, { command: 'verify' }]) {
    const args = 'command' in options && options.command === 'id' ? undefined : key
    const reader =
      args === undefined
        ? sandbox.run('reader', { ...options, storage: null })
        : sandbox.reader(key, { ...options, storage: null })
    assert.match((await ended(reader, 8)).stderr.text, /earlier version/)
  }
})

test('damage to one store takes no cursor and no id along', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(linesOf(0, 100).join(''))
  const id = await idOf(sandbox, 'reader', 'reader')
  await ended(sandbox.reader(key, { args: [...RAW, '--count', '40'] }))
  await rm(sandbox.path(`reader/logs/${key}/db`), { recursive: true })
  assert.deepEqual(await cursorsOf(sandbox, key), [['default', '40', '-']])
  const reader = await ended(sandbox.reader(key, { args: [...RAW, '--exit'] }))
  assert.equal(reader.stdout.text, linesOf(40, 100).join(''))
  assert.match(reader.stderr.text, /moved the damaged store/)
  assert.equal(await idOf(sandbox, 'reader', 'reader'), id)
})

test('a copy of a reader’s directory works beside the original, with an id and cursors of its own', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write('one\n')
  await ended(sandbox.reader(key, { args: [...RAW, '--count', '1'] }))
  await cp(sandbox.path('reader'), sandbox.path('copy'), { recursive: true })
  assert.notEqual(await idOf(sandbox, 'reader', 'copy'), await idOf(sandbox, 'reader', 'reader'))
  const readers = await Promise.all(
    ['reader', 'copy'].map((storage) => sandbox.reader(key, { storage, args: RAW }))
  )
  for (const reader of readers) await reader.stderr.says('connected to')
  await writer.write('two\n')
  for (const reader of readers) assert.deepEqual(await reader.stdout.firstLines(1), ['two'])
})
