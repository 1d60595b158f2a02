import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import { type Loopback, openLoopback } from './harness/loopback.ts'
import { UNKNOWN_KEY } from './harness/samples.ts'
import { Sandbox } from './harness/sandbox.ts'

interface Forger {
  /** Serves a log with these blocks in its bootstrap core, and `data` in its data core. Returns its key. */
  readonly publish: (
    blocks: (dataKey: string) => readonly unknown[],
    data?: readonly string[]
  ) => Promise<string>
  readonly dht: Loopback
}

async function openForger(t: TestContext, sandbox: Sandbox): Promise<Forger> {
  const dht = await openLoopback(t)
  const store = new Corestore(sandbox.path('forger'))
  atEnd(t, () => store.close())
  let logs = 0
  return {
    dht,
    publish: async (blocks, lines = []) => {
      const bootstrap = store.get({ name: `bootstrap-${logs}`, valueEncoding: 'json' })
      const data = store.get({ name: `data-${logs++}` })
      await Promise.all([bootstrap.ready(), data.ready()])
      await data.append(lines.map((line) => b4a.from(line)))
      await bootstrap.append(blocks(hex(data.key)))
      await dht.serve(store, bootstrap.discoveryKey as Uint8Array)
      return hex(bootstrap.key)
    }
  }
}

function hex(key: Uint8Array | null): string {
  return b4a.toString(key as Uint8Array, 'hex')
}

function manifest(dataKey: string, changes: object = {}): object {
  return {
    otherKeys: [dataKey],
    version: 1,
    cores: [{ name: 'all' }],
    routing: { rule: 'round-robin', cores: 1 },
    framing: 'newline',
    ...changes
  }
}

function record(changes: object = {}): object {
  return { seq: 0, time: 1, at: [[0, 0, 1]], order: [0, 2], ...changes }
}

test('a log that violates the format: 5, and nothing of it is printed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { publish, dht } = await openForger(t, sandbox)
  const lines = ['one\ntwo\n']
  const forgeries: Record<string, string> = {
    'a core whose block 0 is not a manifest': await publish(() => [{ hello: 'world' }]),
    'a core whose block 0 is a number': await publish(() => [7]),
    'a manifest of version 2': await publish((key) => [manifest(key, { version: 2 })]),
    'an unknown rule': await publish((key) => [
      manifest(key, { routing: { rule: 'regex', pattern: '(a+)+$' } })
    ]),
    'a record that counts more lines than its block has': await publish(
      (key) => [manifest(key), record({ order: [0, 3] })],
      lines
    ),
    'a record that does not start where the previous one ended': await publish(
      (key) => [manifest(key), record(), record({ seq: 3, at: [[0, 1, 1]] })],
      [...lines, ...lines]
    ),
    'a later block that is not a record': await publish((key) => [manifest(key), { rotate: 'keys' }])
  }
  for (const [name, key] of Object.entries(forgeries)) {
    const reader = await sandbox.reader(key, {
      bootstrap: dht.address,
      args: ['--raw', '--exit', '--timeout', '5']
    })
    await reader.ends(5).catch((error: unknown) => assert.fail(`${name}: ${String(error)}`))
    assert.doesNotMatch(reader.stderr.text, /^(reader: )? +at /m, name)
  }
})

test('a line in a core that the rule does not choose: 5', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { publish, dht } = await openForger(t, sandbox)
  const key = await publish(
    (dataKey) => [
      manifest(dataKey, {
        otherKeys: [dataKey, UNKNOWN_KEY],
        cores: [{ name: 'short' }, { name: 'long' }],
        routing: { rule: 'byte-length', bounds: [5] }
      }),
      record({ order: [0, 1] })
    ],
    ['this one is long\n']
  )
  const reader = await sandbox.reader(key, { bootstrap: dht.address, args: ['--raw', '--exit'] })
  await reader.ends(5)
  assert.equal(reader.stdout.text, '')
})

test('verify: 0 with counts; 5 with position, core and block of the first fault; 6 if no peer has a block', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { publish, dht } = await openForger(t, sandbox)
  const honest = (key: string): object[] => [manifest(key), record(), record({ seq: 2, at: [[0, 1, 1]] })]
  const verdicts: [key: string, code: number, text: RegExp][] = [
    [
      await publish(honest, ['one\ntwo\n', '3\n4\n']),
      0,
      /^verified 4 lines, 12 bytes: 2 batches in 2 blocks of 1 core$/m
    ],
    [
      await publish(honest, ['one\ntwo\n', '3\n']),
      5,
      /core all has fewer lines up to its block 1 .* position 2/
    ],
    [
      await publish(honest, ['one\ntwo\n', '3\n4\n', '5\n']),
      5,
      /core all has 3 blocks, .* 2: block 2 .* position 4/
    ],
    [await publish(honest, ['one\ntwo\n']), 6, /block 1 of core all/]
  ]
  for (const [index, [key, code, text]] of verdicts.entries()) {
    await mkdir(sandbox.path(`r${index}`))
    const reader = await sandbox.reader(key, {
      command: 'verify',
      storage: `r${index}`,
      bootstrap: dht.address,
      args: ['--timeout', '3']
    })
    await reader.ends(code)
    assert.match(code === 0 ? reader.stdout.text : reader.stderr.text, text)
  }
})

test('a block of the journal that no peer has: 6 after the timeout, and the lines before it are printed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { publish, dht } = await openForger(t, sandbox)
  const key = await publish(
    (dataKey) => [manifest(dataKey), record(), record({ seq: 2, at: [[0, 1, 1]] })],
    ['one\ntwo\n']
  )
  const reader = await sandbox.reader(key, {
    bootstrap: dht.address,
    args: ['--raw', '--exit', '--timeout', '2']
  })
  await reader.ends(6)
  assert.equal(reader.stdout.text, 'one\ntwo\n')
  assert.match(reader.stderr.text, /block 1 of core all/)
})
