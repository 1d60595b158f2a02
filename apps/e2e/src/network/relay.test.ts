import assert from 'node:assert/strict'
import test from 'node:test'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { openNatted, whyNoNats } from './namespaces.ts'

const RELAY = new URL('relay.js', import.meta.url)

test('two peers behind symmetric NATs connect with --relay on either side, and not without', {
  skip: whyNoNats
}, async (t) => {
  const { machines, world, worldAddress } = openNatted(t, 2)
  const [here, there] = machines
  assert.ok(here !== undefined && there !== undefined)
  const sandbox = await Sandbox.open(t)
  const dht = await sandbox.peer(RELAY, { storage: null, args: [worldAddress], namespace: world })
  const [port, relay = ''] = await dht.stdout.firstLines(2)
  const bootstrap = `${worldAddress}:${port}`
  const apart = (name: string, namespace: string, args: readonly string[]): StartOptions => ({
    namespace,
    bootstrap,
    args: ['--verbose', ...args],
    env: { MANY_CORES_RENDEZVOUS: sandbox.path(`run-${name}`) }
  })

  const alone = await sandbox.writer(apart('w', here, []))
  const key = await keyOf(alone)
  await alone.write('here\n')
  const lost = await sandbox.reader(key, apart('r', there, ['--timeout', '8']))
  await lost.ends(3)
  const [reason = ''] = /^reader: Could not connect.*$/m.exec(lost.stderr.text) ?? []
  t.diagnostic(reason)
  assert.match(
    reason,
    /a peer announces it on the DHT but did not answer: HOLEPUNCH_.*use a relay \(--relay KEY\)/
  )
  alone.signal('SIGTERM')
  await alone.ends(143)

  // one side with --relay is enough
  for (const [writing, reading] of [
    [['--relay', relay], []],
    [[], ['--relay', relay]]
  ] as const) {
    const writer = await sandbox.writer(apart('w', here, writing))
    await keyOf(writer)
    const began = performance.now()
    const reader = await sandbox.reader(key, apart('r', there, ['--raw', '--from', 'start', ...reading]))
    assert.deepEqual(await reader.stdout.firstLines(1), ['here'])
    const took = Math.round(performance.now() - began)
    t.diagnostic(
      `${took} ms from start to first line, with ${reading.length > 0 ? 'reader' : 'writer'} --relay`
    )
    const relaying = reading.length > 0 ? reader : writer
    await relaying.stderr.says('(relay)')
    await writer.write('and live\n')
    await reader.stdout.until('the next line', () => reader.stdout.text.endsWith('and live\n'))
    await reader.kill()
    await writer.kill()
  }
})
