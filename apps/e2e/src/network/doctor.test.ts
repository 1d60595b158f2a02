import assert from 'node:assert/strict'
import test from 'node:test'
import { openLoopback } from '../harness/loopback.ts'
import { builtFile, Program } from '../harness/program.ts'
import { UNKNOWN_KEY } from '../harness/samples.ts'
import { idOf, keyOf, Sandbox } from '../harness/sandbox.ts'

const CHECKS = [
  'runtime directory',
  'store',
  'udp',
  'dht',
  'nat',
  'announcement',
  'peer',
  'bootstrap core',
  'manifest',
  'data cores'
]

interface Finding {
  readonly check: string
  readonly outcome: string
  readonly text: string
  readonly remedy?: string
}

async function examine(
  sandbox: Sandbox,
  run: string,
  args: readonly string[],
  code: number
): Promise<Finding[]> {
  const program = new Program({
    name: 'doctor',
    main: builtFile('reader'),
    args: ['doctor', '--json', ...args],
    env: {
      PATH: process.env.PATH ?? '',
      HOME: sandbox.path('home'),
      MANY_CORES_RENDEZVOUS: sandbox.path(`${run}/many-cores`)
    }
  })
  await program.ends(code)
  return program.stdout.lines.map((line) => JSON.parse(line) as Finding)
}

test('doctor reports ok in every check for a log that is available: 0', async (t) => {
  const { address } = await openLoopback(t)
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ bootstrap: address })
  await writer.write('a line\n')
  const key = await keyOf(writer)
  await idOf(sandbox, 'reader', 'reader')
  const args = ['--bootstrap', address, '--no-lan', '--storage', sandbox.path('reader'), key]
  const findings = await examine(sandbox, 'apart', args, 0)
  assert.deepEqual(
    findings.map(({ check }) => check),
    CHECKS
  )
  for (const { check, outcome, text } of findings) assert.equal(outcome, 'ok', `${check}: ${text}`)
})

test('with a writer that uses --allow, doctor checks the store’s id: 0 if it is allowed; else 3 and the id to allow', async (t) => {
  const sandbox = await Sandbox.open(t)
  const [friend, stranger] = [
    await idOf(sandbox, 'reader', 'friend'),
    await idOf(sandbox, 'reader', 'stranger')
  ]
  const writer = await sandbox.writer({ args: ['--allow', friend] })
  const key = await keyOf(writer)
  const argsOf = (storage: string): string[] => [
    '--local',
    '--timeout',
    '2',
    '--storage',
    sandbox.path(storage),
    key
  ]
  await examine(sandbox, 'run', argsOf('friend'), 0)
  const findings = await examine(sandbox, 'run', argsOf('stranger'), 3)
  const failed = findings.filter(({ outcome }) => outcome === 'failed')
  assert.deepEqual(
    failed.map(({ check }) => check),
    ['peer']
  )
  assert.ok(failed[0]?.remedy?.includes(stranger))
})

test('a key that no peer announces: 3, the first failed check is the announcement, and it has a remedy', async (t) => {
  const { address } = await openLoopback(t)
  const sandbox = await Sandbox.open(t)
  const args = ['--bootstrap', address, '--no-lan', '--timeout', '1', UNKNOWN_KEY]
  const findings = await examine(sandbox, 'apart', args, 3)
  const first = findings.find(({ outcome }) => outcome === 'failed')
  assert.equal(first?.check, 'announcement')
  assert.ok(first?.remedy)
  assert.equal(findings.at(-1)?.outcome, 'skipped')
})

test('a DHT that does not answer: 3, or a warning and 0 if a peer is on this machine', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const args = ['--bootstrap', '127.0.0.77:9', '--no-lan', '--timeout', '1', key]
  const apart = await examine(sandbox, 'apart', args, 3)
  assert.equal(apart.find(({ outcome }) => outcome === 'failed')?.check, 'dht')
  const near = await examine(sandbox, 'run', args, 0)
  assert.equal(near.find(({ check }) => check === 'dht')?.outcome, 'warning')
})

test('without a key, doctor checks only this machine and its network', async (t) => {
  const sandbox = await Sandbox.open(t)
  const findings = await examine(sandbox, 'run', ['--local'], 0)
  assert.deepEqual(
    findings.map(({ outcome }) => outcome),
    ['ok', 'skipped', 'skipped', 'skipped', 'skipped']
  )
})
