import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { underLoad } from '../harness/load.ts'
import { openLoopback } from '../harness/loopback.ts'
import type { Program } from '../harness/program.ts'
import { UNKNOWN_KEY } from '../harness/samples.ts'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { openAlone, openLan, whyNoNamespaces } from './namespaces.ts'

/** Measurements of each kind. `NETWORK_RUNS=20` for the claims in the README. */
const RUNS = Number(process.env.NETWORK_RUNS ?? 2)

/** A limit for a machine that is busy with other tests. The measured times are in docs/network.md. */
const MAX_MS = 15_000

/** How long a machine is disconnected. `PARTITION_S=75` for a long run. */
const PARTITION_S = Number(process.env.PARTITION_S ?? 20)

const TESTNET = new URL('testnet.js', import.meta.url)

/** A separate runtime directory, so that programs do not use local discovery. */
function apart(sandbox: Sandbox, name: string, options: StartOptions): StartOptions {
  return { ...options, env: { ...options.env, MANY_CORES_RENDEZVOUS: sandbox.path(`run-${name}`) } }
}

async function firstLine(
  t: TestContext,
  run: (sandbox: Sandbox) => { writer: StartOptions; reader: StartOptions }
): Promise<void> {
  const times: number[] = []
  for (let count = 0; count < RUNS; count++) {
    const sandbox = await Sandbox.open(t)
    const { writer: writing, reader: reading } = run(sandbox)
    const writer = await sandbox.writer(writing)
    await writer.write('found\n')
    const key = await keyOf(writer)
    const began = performance.now()
    const reader = await sandbox.reader(key, { ...reading, args: ['--raw'] })
    assert.deepEqual(await reader.stdout.firstLines(1), ['found'])
    times.push(performance.now() - began)
    await Promise.all([writer.kill(), reader.kill()])
  }
  const worst = Math.max(...times)
  t.diagnostic(`${times.map((time) => Math.round(time)).join(' ')} ms from start to first line`)
  assert.ok(worst < MAX_MS, `${worst} ms`)
}

test('on a machine with nothing but its loopback, a reader finds its writer', {
  skip: whyNoNamespaces
}, async (t) => {
  const namespace = openAlone(t)
  await firstLine(t, () => ({ writer: { namespace }, reader: { namespace } }))
})

test('in a network without gateway and DHT, a reader finds its writer', {
  skip: whyNoNamespaces
}, async (t) => {
  const [here, there] = openLan(t, 2).machines
  assert.ok(here !== undefined && there !== undefined)
  await firstLine(t, (sandbox) => ({
    writer: apart(sandbox, 'w', { namespace: here }),
    reader: apart(sandbox, 'r', { namespace: there })
  }))
})

test('over a private DHT, a reader finds its writer', async (t) => {
  const { address } = await openLoopback(t)
  await firstLine(t, (sandbox) => ({
    writer: apart(sandbox, 'w', { bootstrap: address }),
    reader: apart(sandbox, 'r', { bootstrap: address })
  }))
})

test('with --no-lan, LAN discovery is off: 3, and no message mentions it', {
  skip: whyNoNamespaces
}, async (t) => {
  const [here, there] = openLan(t, 2).machines
  assert.ok(here !== undefined && there !== undefined)
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer(apart(sandbox, 'w', { namespace: here }))
  const key = await keyOf(writer)
  const reader = await sandbox.reader(
    key,
    apart(sandbox, 'r', { namespace: there, args: ['--no-lan', '--timeout', '2'] })
  )
  await reader.ends(3)
  assert.match(reader.stderr.text, /Could not connect to the writer peer: .*the DHT does not answer/)
  assert.doesNotMatch(reader.stderr.text, /local network|multicast/)
})

test('without any network, both programs end within 2 s of SIGTERM', {
  skip: whyNoNamespaces
}, async (t) => {
  const namespace = openAlone(t)
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ namespace })
  await writer.write('kept\n')
  const reader = await sandbox.reader(await keyOf(writer), { namespace, args: ['--raw'] })
  assert.deepEqual(await reader.stdout.firstLines(1), ['kept'])
  for (const program of [writer, reader]) {
    program.signal('SIGTERM')
    const took = await program.ends(143)
    assert.ok(took < 2500, `${program.name}: ${took} ms`)
    assert.doesNotMatch(program.stderr.text, /not closed/)
  }
  const again = await sandbox.reader(UNKNOWN_KEY, { namespace, args: ['--timeout', '60'] })
  await again.stderr.says('finding peers')
  again.signal('SIGINT')
  assert.ok((await again.ends(130)) < 2500)
})

test('a reader gets the next line of a writer that was killed and restarted within seconds', async (t) => {
  const { address } = await openLoopback(t)
  const times: number[] = []
  for (let count = 0; count < RUNS; count++) {
    const sandbox = await Sandbox.open(t)
    const writing = apart(sandbox, 'w', { bootstrap: address })
    const first = await sandbox.writer(writing)
    const key = await keyOf(first)
    await first.write('before\n')
    const reader = await sandbox.reader(key, apart(sandbox, 'r', { bootstrap: address, args: ['--raw'] }))
    await reader.stdout.firstLines(1)
    await first.kill()
    const second = await sandbox.writer(writing)
    assert.equal(await keyOf(second), key)
    const began = performance.now()
    await second.write('after\n')
    assert.deepEqual(await reader.stdout.firstLines(2), ['before', 'after'])
    times.push(performance.now() - began)
    await Promise.all([second.kill(), reader.kill()])
  }
  t.diagnostic(`${times.map((time) => Math.round(time)).join(' ')} ms from a published line to its reader`)
  assert.ok(Math.max(...times) < 10_000)
})

test('a peer that was disconnected from the network is found again within seconds', {
  skip: whyNoNamespaces
}, async (t) => {
  const lan = openLan(t, 3)
  const [here, there, elsewhere] = lan.machines
  assert.ok(here !== undefined && there !== undefined && elsewhere !== undefined)
  for (const cut of [0, 1]) {
    const sandbox = await Sandbox.open(t)
    const dht: Program = await sandbox.peer(TESTNET, {
      storage: null,
      args: [lan.addressOf(2)],
      namespace: elsewhere
    })
    const [port] = await dht.stdout.firstLines(1)
    const bootstrap = `${lan.addressOf(2)}:${port}`
    const writer = await sandbox.writer(apart(sandbox, 'w', { namespace: here, bootstrap }))
    const reader = await sandbox.reader(
      await keyOf(writer),
      apart(sandbox, 'r', { namespace: there, bootstrap, args: ['--raw'] })
    )
    await writer.write('before\n')
    await reader.stdout.firstLines(1)
    lan.cut(cut)
    await writer.write('meanwhile\n')
    // the test is that nothing arrives in this time
    await new Promise((resolve) => setTimeout(resolve, PARTITION_S * 1000))
    assert.equal(reader.stdout.lineCount, 1)
    lan.join(cut)
    const began = performance.now()
    await reader.stdout.firstLines(2)
    const took = performance.now() - began
    t.diagnostic(`${Math.round(took)} ms after ${PARTITION_S} s without ${cut === 0 ? 'writer' : 'reader'}`)
    assert.ok(took < MAX_MS, `${took} ms`)
    await sandbox.close()
  }
})

test('a peer in the same network that loses power is gone within 20 s; when it is back, it gets the next line within seconds', {
  skip: whyNoNamespaces
}, async (t) => {
  const lan = openLan(t, 2)
  const [here, there] = lan.machines
  assert.ok(here !== undefined && there !== undefined)
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer(apart(sandbox, 'w', { namespace: here }))
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, apart(sandbox, 'r', { namespace: there, args: ['--raw'] }))
  await writer.write('0\n')
  await reader.stdout.firstLines(1)
  for (const machine of [0, 1]) {
    const line = reader.stdout.lineCount
    const saysAlone = (): number => reader.stderr.text.split('no peers').length
    const said = saysAlone()
    let began = performance.now()
    lan.cut(machine)
    await writer.write(`${line}\n`)
    await reader.stderr.until('that it is alone', () => saysAlone() > said, underLoad(20_000))
    const gone = performance.now() - began
    assert.equal(reader.stdout.lineCount, line)
    began = performance.now()
    lan.join(machine)
    await reader.stdout.firstLines(line + 1)
    const back = performance.now() - began
    t.diagnostic(`gone after ${Math.round(gone)} ms, back after ${Math.round(back)} ms`)
    assert.ok(back < underLoad(10_000), `${back} ms`)
  }
})

test('a machine is found after its network interface was replaced by one with the same address', {
  skip: whyNoNamespaces
}, async (t) => {
  const lan = openLan(t, 2)
  const [here, there] = lan.machines
  assert.ok(here !== undefined && there !== undefined)
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer(apart(sandbox, 'w', { namespace: here }))
  const key = await keyOf(writer)
  await writer.write('0\n')
  for (const name of ['before', 'after']) {
    const reader = await sandbox.reader(
      key,
      apart(sandbox, name, { storage: name, namespace: there, args: ['--raw'] })
    )
    const began = performance.now()
    assert.deepEqual(await reader.stdout.firstLines(1), ['0'])
    t.diagnostic(`${Math.round(performance.now() - began)} ms ${name}`)
    await reader.kill()
    lan.replace(0)
  }
})
