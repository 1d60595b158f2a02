import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import createTestnet from 'hyperdht/testnet.js'
import { type NodeOptions, openNode, openReader, openWriter } from './index.ts'
import { take } from './testing/support.ts'

/** How many times everything is opened and closed. `CYCLES=10000` for the long run, about 15 minutes. */
const CYCLES = Number(process.env.CYCLES ?? 60)

/** After this many cycles, everything is loaded and compiled. */
const WARM_UP = 20

/** Every fourth cycle uses a DHT. */
const DHT_EVERY = 4

/** A leaked store or swarm costs a multiple of this. */
const HEAP_BYTES_A_CYCLE = 4000
const RSS_BYTES_A_CYCLE = 20_000

/** Growth that does not depend on the number of cycles: code that the engine compiles later, and memory that an allocator keeps. */
const HEAP_SLACK_BYTES = 2_000_000
const RSS_SLACK_BYTES = 64_000_000

test(`after ${CYCLES} times opening and closing node, writer and reader, no handle, socket, timer, listener or memory is left`, async (t) => {
  const timers = countTimers()
  const testnet = await createTestnet(3, { host: '127.0.0.1' })
  atEnd(t, () => testnet.destroy())
  const directory = await temporary(t)
  const warnings: Error[] = []
  const onwarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onwarning)
  atEnd(t, () => process.off('warning', onwarning))
  // one signal for all cycles: a leaked listener would stay registered
  const { signal } = new AbortController()
  const open = (name: string, options: Partial<NodeOptions>): ReturnType<typeof openNode> =>
    openNode({ storage: join(directory, name), lan: false, signal, ...options })

  const cycle = async (number: number): Promise<void> => {
    const isFar = number % DHT_EVERY === 0
    const networkOf = (name: string): Partial<NodeOptions> =>
      isFar
        ? {
            bootstrap: [`127.0.0.1:${testnet.bootstrap[0]?.port}`],
            rendezvous: join(directory, `meet-${name}`)
          }
        : { local: true, rendezvous: join(directory, 'meet') }
    const [here, there] = await Promise.all([open('w', networkOf('w')), open('r', networkOf('r'))])
    const writer = await openWriter(here, { signal })
    const reader = await openReader(there, writer.key, { signal })
    await writer.publish([`line ${number}\n`])
    const batches = reader.batches({ from: number, signal })
    assert.deepEqual(await take(batches, 1), [`line ${number}\n`])
    await batches.return()
    await Promise.all([here.close(), there.close()])
  }

  for (let number = 0; number < WARM_UP; number++) await deadline('a cycle', cycle(number))
  const before = await measure()
  for (let number = WARM_UP; number < WARM_UP + CYCLES; number++) await deadline('a cycle', cycle(number))
  const after = await measure()

  const grown = { heap: after.heap - before.heap, rss: after.rss - before.rss }
  t.diagnostic(`heap ${kB(grown.heap / CYCLES)}, resident ${kB(grown.rss / CYCLES)} a cycle`)
  assert.deepEqual(after.resources, before.resources)
  assert.equal(after.descriptors, before.descriptors)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  assert.deepEqual(warnings, [])
  assert.ok(
    grown.heap < HEAP_BYTES_A_CYCLE * CYCLES + HEAP_SLACK_BYTES,
    `the heap has grown by ${kB(grown.heap)}`
  )
  assert.ok(
    grown.rss < RSS_BYTES_A_CYCLE * CYCLES + RSS_SLACK_BYTES,
    `the process has grown by ${kB(grown.rss)}`
  )
  await testnet.destroy()
  // hyperdht 6.32 checks the machine's addresses for 500 ms, even after it is closed
  const end = performance.now() + TIMERS_MS
  while (countTimers() > timers && performance.now() < end) await setTimeout(50)
  assert.equal(countTimers(), timers)
})

/** A timer that runs for longer is a leak. */
const TIMERS_MS = 5000

interface Measure {
  /** The number of resources that keep the process alive, by kind. Without timers: the number of a DHT's timers varies. */
  readonly resources: Readonly<Record<string, number>>
  readonly descriptors: number
  readonly heap: number
  readonly rss: number
}

async function measure(): Promise<Measure> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // closed resources are freed in later turns of the event loop, and finalizers run after a collection
  for (let round = 0; round < 3; round++) {
    collect()
    await setTimeout(20)
  }
  const { heapUsed, rss } = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind !== 'Timeout') resources[kind] = (resources[kind] ?? 0) + 1
  }
  // Node does not count hyperdht's sockets as resources, but they have descriptors
  const descriptors = process.platform === 'linux' ? (await readdir('/proc/self/fd')).length : 0
  return { resources, descriptors, heap: heapUsed, rss }
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

function kB(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}
