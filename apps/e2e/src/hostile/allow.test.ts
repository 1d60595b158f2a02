import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmod, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import type { Program } from '../harness/program.ts'
import { idOf, keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { openLan, whyNoNamespaces } from '../network/namespaces.ts'
import { socketOf } from './peers.ts'

/** Another user, without privileges. */
const OTHER_UID = 65534

const whyNoOtherUser: string | false =
  process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0
    ? false
    : 'only root can become another user'

test('reader id and writer id print the same key each time, which differs from the log’s key and from other stores’ ids', async (t) => {
  const sandbox = await Sandbox.open(t)
  const ids = [
    await idOf(sandbox, 'reader', 'r'),
    await idOf(sandbox, 'reader', 'r2'),
    await idOf(sandbox, 'writer', 'w')
  ]
  assert.equal(new Set(ids).size, 3)
  const key = await sandbox.publish('a line\n', { storage: 'w' })
  assert.ok(!ids.includes(key))
  assert.equal(await idOf(sandbox, 'reader', 'r'), ids[0])
  assert.equal(await idOf(sandbox, 'writer', 'w'), ids[2])
})

test('a reader that is not on the writer’s --allow list gets 3 and the reason; the writer reports the refused id', async (t) => {
  const sandbox = await Sandbox.open(t)
  const friend = await idOf(sandbox, 'reader', 'friend')
  await writeFile(sandbox.path('allowed'), `# allowed\n${friend} the friend\n`)
  const writer = await sandbox.writer({ args: ['--verbose', '--allow-file', sandbox.path('allowed')] })
  const key = await keyOf(writer)
  await writer.write('for friends\n')

  const stranger = await sandbox.reader(key, { storage: 'stranger', args: ['--timeout', '2'] })
  await stranger.ends(3)
  const id = await idOf(sandbox, 'reader', 'stranger')
  assert.match(
    stranger.stderr.text,
    new RegExp(`refused by a peer: this reader's id is not on its --allow list: ${id}`)
  )
  assert.equal(stranger.stdout.text, '')
  await writer.stderr.says('refused peer')
  // its store has no part of the log: offline, it finds nothing
  const offline = await sandbox.reader(key, { storage: 'stranger', args: ['--timeout', '1', '--exit'] })
  await offline.ends(3)

  const reader = await sandbox.reader(key, { storage: 'friend', args: ['--raw'] })
  assert.deepEqual(await reader.stdout.firstLines(1), ['for friends'])
})

test('an empty --allow-file, or an invalid key in it: 2, and one sentence with the line number', async (t) => {
  const sandbox = await Sandbox.open(t)
  await writeFile(sandbox.path('empty'), '# later\n')
  await writeFile(sandbox.path('wrong'), `${'ab'.repeat(32)}\nabc\n`)
  for (const [args, fault] of [
    [['--allow-file', sandbox.path('empty')], /no peer could connect/],
    [['--allow-file', sandbox.path('wrong')], /line 2: not a key/],
    [['--allow-file', sandbox.path('none')], /ENOENT/],
    [['--allow', 'abc'], /--allow: not a key/],
    [['--max-peers', '0'], /at least 1$/m]
  ] as const) {
    const writer = await sandbox.writer({ args })
    await writer.ends(2)
    assert.match(writer.stderr.text, fault)
    assert.doesNotMatch(writer.stderr.text, /\n {4}at /)
  }
})

test('in a network, too, only allowed peers can connect', { skip: whyNoNamespaces }, async (t) => {
  const lan = openLan(t, 3)
  const [here, there, elsewhere] = lan.machines
  assert.ok(here !== undefined && there !== undefined && elsewhere !== undefined)
  const sandbox = await Sandbox.open(t)
  const friend = await idOf(sandbox, 'reader', 'friend')
  const on = (namespace: string, run: string, options: StartOptions): StartOptions => ({
    ...options,
    namespace,
    // separate machines: no local discovery
    env: { MANY_CORES_RENDEZVOUS: sandbox.path(run) }
  })
  const writer = await sandbox.writer(on(here, 'run-w', { args: ['--verbose', '--allow', friend] }))
  const key = await keyOf(writer)
  await writer.write('for friends\n')
  const stranger = await sandbox.reader(
    key,
    on(there, 'run-s', { storage: 'stranger', args: ['--timeout', '5'] })
  )
  const reader = await sandbox.reader(
    key,
    on(elsewhere, 'run-f', {
      storage: 'friend',
      args: ['--raw', '--allow', await idOf(sandbox, 'writer', 'other')]
    })
  )
  await stranger.ends(3)
  assert.match(stranger.stderr.text, /refused by a peer: this reader's id is not on its --allow list/)
  // the reader does not allow the writer, only another peer
  assert.equal(reader.stdout.text, '')
  await reader.kill()
  const same = await sandbox.reader(key, on(elsewhere, 'run-f', { storage: 'friend', args: ['--raw'] }))
  assert.deepEqual(await same.stdout.firstLines(1), ['for friends'])
})

/** Whether another user can do `command` with `path`. */
function canAnother(command: string, path: string): boolean {
  const args = [
    `--reuid=${OTHER_UID}`,
    `--regid=${OTHER_UID}`,
    '--clear-groups',
    'sh',
    '-c',
    `${command} "$0"`,
    path
  ]
  return spawnSync('setpriv', args, { stdio: 'ignore' }).status === 0
}

test('another user of the machine can access neither stores nor sockets', {
  skip: whyNoOtherUser
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  await writer.write('mine\n')
  await reader.stdout.firstLines(1)
  const socket = await socketOf(sandbox)
  const rendezvous = join(socket, '..')
  // the directories above are open to all users: stores and sockets themselves must be protected
  for (const directory of ['', 'run']) await chmod(sandbox.path(directory), 0o755)
  assert.ok(canAnother('ls', sandbox.path('run')), 'the test’s own directories are not accessible')
  for (const directory of [
    sandbox.path('writer'),
    sandbox.path('reader'),
    rendezvous,
    join(rendezvous, '..')
  ]) {
    assert.equal((await stat(directory)).mode & 0o777, 0o700, directory)
    assert.ok(!canAnother('ls', directory), directory)
  }
  for (const store of ['writer', 'reader'])
    for (const file of await readdir(sandbox.path(store)))
      assert.ok(!canAnother('cat', join(sandbox.path(store), file)), file)
  const connects = `${process.execPath} -e 'require("net").connect(process.argv[1]).on("connect", () => process.exit(0)).on("error", () => process.exit(1))'`
  execFileSync('sh', ['-c', `${connects} "$0"`, socket])
  assert.ok(!canAnother(connects, socket), 'the socket accepts another user')
})

test('the key can be kept out of the arguments, and no message contains the key or a line', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--verbose'] })
  const key = await keyOf(writer)
  await writer.write('a secret line\n')
  const reader: Program = await sandbox.run('reader', {
    storage: 'reader',
    args: ['--verbose', '--raw', '--count', '1', '--from', 'start'],
    env: { MANY_CORES_KEY: key }
  })
  const [commandLine] = await Promise.all([reader.commandLine(), reader.ends(0)])
  assert.ok(!commandLine.includes(key))
  assert.equal(reader.stdout.text, 'a secret line\n')
  await writer.stderr.says('disconnected')
  for (const { stderr } of [writer, reader]) {
    assert.ok(!stderr.text.includes(key), 'the key is in a message')
    assert.ok(!stderr.text.includes('secret line'), 'a line is in a message')
  }
})
