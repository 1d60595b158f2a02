import assert from 'node:assert/strict'
import { chmod, chown, mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import { builtFile, Program } from './harness/program.ts'
import { UNKNOWN_KEY } from './harness/samples.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'

interface Finding {
  readonly check: string
  readonly outcome: string
  readonly text: string
}

test('programs of one user meet, whatever their environments are', async (t) => {
  const sandbox = await Sandbox.open(t)
  // a login session, and a cron job
  const session = { MANY_CORES_RENDEZVOUS: '', XDG_RUNTIME_DIR: sandbox.path('run') }
  const job = { MANY_CORES_RENDEZVOUS: '', TMPDIR: sandbox.path('home'), HOME: sandbox.path('home') }
  const writer = await sandbox.writer({ env: session })
  const key = await keyOf(writer)
  await writer.write('from another shell\n')
  const reader = await ended(sandbox.reader(key, { args: ['--raw', '--count', '1'], env: job }))
  assert.equal(reader.stdout.text, 'from another shell\n')
})

test('a reader that finds no process names the directory in which it looked', async (t) => {
  const sandbox = await Sandbox.open(t)
  const MANY_CORES_RENDEZVOUS = sandbox.path('apart')
  const reader = await sandbox.reader(UNKNOWN_KEY, {
    args: ['--timeout', '1'],
    env: { MANY_CORES_RENDEZVOUS }
  })
  await reader.ends(3)
  assert.ok(reader.stderr.text.includes(MANY_CORES_RENDEZVOUS), reader.stderr.text)
})

test('with --local, doctor advises nothing that --local excludes', {
  skip: process.getuid?.() === 0 ? false : 'only root can make a directory of another user'
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  const taken = sandbox.path('taken')
  await mkdir(taken)
  await chmod(taken, 0o777)
  await chown(taken, 65534, 65534)
  for (const [MANY_CORES_RENDEZVOUS, failing] of [
    [sandbox.path('free'), 'peer'],
    [taken, 'runtime directory']
  ] as const) {
    const doctor = new Program({
      name: 'doctor',
      main: builtFile('reader'),
      args: ['doctor', '--local', '--json', '--timeout', '1', UNKNOWN_KEY],
      env: { PATH: process.env.PATH ?? '', HOME: sandbox.path('home'), MANY_CORES_RENDEZVOUS }
    })
    await doctor.ends(3)
    assert.doesNotMatch(doctor.stdout.text + doctor.stderr.text, /--relay|--bootstrap|firewall|XDG/)
    const [failed] = doctor.stdout.lines
      .map((line) => JSON.parse(line) as Finding)
      .filter((f) => f.outcome === 'failed')
    assert.equal(failed?.check, failing)
    assert.ok(failed?.text.includes(MANY_CORES_RENDEZVOUS), failed?.text)
  }
})
