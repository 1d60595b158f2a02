import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { atMost, type Bench } from '../benchmark.ts'
import type { Program } from '../program.ts'
import { interleave, percentile, type Sample } from '../runner.ts'
import { KEY } from '../serve.ts'
import {
  manyCores,
  rawLine,
  rawTwoCores,
  type System,
  type Transport,
  tutorial,
  withoutFsync
} from '../systems.ts'

const INTERVAL_MS = 10
const LINE_BYTES = 100

const RIVALS: readonly System[] = [rawLine, rawTwoCores, withoutFsync, tutorial]
const SYSTEMS: readonly System[] = [manyCores, ...RIVALS]
const TRANSPORTS: readonly Transport[] = ['hyperswarm', 'local']
const METRICS = ['p50', 'p99', 'max'] as const

/** One line every 10 ms: from the write into the writer's pipe to the bytes out of the reader's. */
export async function live(bench: Bench): Promise<void> {
  const { plan, report } = bench
  const cases = TRANSPORTS.flatMap((transport) => SYSTEMS.map((system) => ({ transport, system })))
  const medians = await interleave(
    plan.rounds,
    Object.fromEntries(
      cases.map(({ transport, system }) => [
        nameOf(system, transport),
        () => exchange(bench, system, transport)
      ])
    )
  )
  for (const transport of TRANSPORTS) {
    for (const rival of RIVALS) {
      for (const metric of METRICS) {
        const judged = rival === rawLine && metric !== 'max'
        report({
          benchmark: 'live',
          name: metric,
          subject: `over ${transport}`,
          value: medians(nameOf(manyCores, transport), metric),
          unit: 'ms',
          baseline: { name: rival.name, value: medians(nameOf(rival, transport), metric) },
          goal: judged ? atMost(1.5) : undefined
        })
      }
    }
  }
}

function nameOf({ name }: System, transport: Transport): string {
  return `${name} over ${transport}`
}

async function exchange({ lab, plan }: Bench, system: System, transport: Transport): Promise<Sample> {
  return await lab.within(async (directory) => {
    const place = { directory: join(directory, 'writer'), bootstrap: lab.bootstrap }
    const copy = join(directory, 'reader')
    await Promise.all([mkdir(place.directory), mkdir(copy)])
    const writer = lab.start(system.write(place))
    const key = await writer.match(KEY)
    const reader = lab.start(system.read(place, { key, directory: copy, transport }))
    const { warmup, lines } = plan.live
    // the first one shows that they have met
    writer.stdin.write(lineAt(0))
    await reader.print(LINE_BYTES)
    await measure(writer, reader, { first: 1, lines: warmup })
    const latencies = await measure(writer, reader, { first: 1 + warmup, lines })
    await Promise.all([writer.stop(), reader.stop()])
    return {
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      max: percentile(latencies, 1)
    }
  })
}

/** Publishes lines `first` and following at their times, whether or not those before have arrived. */
async function measure(
  writer: Program,
  reader: Program,
  { first, lines }: { readonly first: number; readonly lines: number }
): Promise<number[]> {
  const began = performance.now()
  const latencies: Promise<number>[] = []
  for (let line = 0; line < lines; line++) {
    await delay(Math.max(0, began + line * INTERVAL_MS - performance.now()))
    const sent = performance.now() - reader.began
    writer.stdin.write(lineAt(first + line))
    latencies.push(reader.print((first + line + 1) * LINE_BYTES).then((arrived) => arrived - sent))
  }
  return await Promise.all(latencies)
}

function lineAt(index: number): string {
  return `${String(index).padStart(LINE_BYTES - 1, '.')}\n`
}
