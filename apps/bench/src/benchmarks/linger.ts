import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../benchmark.ts'
import type { Program } from '../program.ts'
import type { Unit } from '../report.ts'
import { type Contender, interleave, percentile, type Sample } from '../runner.ts'
import { KEY } from '../serve.ts'
import { manyCores } from '../systems.ts'
import { diskUsage } from './disk.ts'

const LINGERS_MS = [0, 5, 50, 500]
const RATES = [200, 2000]
const LINE_BYTES = 75

const METRICS: Readonly<Record<string, Unit>> = { p50: 'ms', disk: 'bytes/byte', history: 'lines/s' }

/** What `--linger` costs a live line, and saves on the disk and for a new reader, at a steady rate. */
export async function linger(bench: Bench): Promise<void> {
  for (const rate of RATES) {
    const contenders = LINGERS_MS.map((ms): [string, Contender] => [
      `--linger ${ms}`,
      () => publishAt(bench, rate, ms)
    ])
    const medians = await interleave(bench.plan.rounds, Object.fromEntries(contenders))
    for (const ms of LINGERS_MS) {
      for (const [metric, unit] of Object.entries(METRICS)) {
        bench.report({
          benchmark: 'linger',
          name: `${rate} lines/s`,
          subject: `--linger ${ms} ${metric}`,
          value: medians(`--linger ${ms}`, metric),
          unit,
          baseline: { name: '--linger 0', value: medians('--linger 0', metric) }
        })
      }
    }
  }
}

async function publishAt({ lab, plan }: Bench, rate: number, ms: number): Promise<Sample> {
  return await lab.within(async (directory) => {
    const place = { directory: join(directory, 'writer') }
    const [copy, late] = [join(directory, 'reader'), join(directory, 'late')]
    await Promise.all([place.directory, copy, late].map((path) => mkdir(path)))
    const command = manyCores.write(place)
    const writer = lab.start({ ...command, env: { ...command.env, MANY_CORES_LINGER: String(ms) } })
    const key = await writer.match(KEY)
    const read = (own: string): Program =>
      lab.start(manyCores.read(place, { key, directory: own, transport: 'local' }))
    const reader = read(copy)
    // the first one shows that they have met
    writer.stdin.write(lineAt(0))
    await reader.print(LINE_BYTES)
    const latencies = await publish(writer, reader, { rate, lines: rate * plan.lingerSeconds })
    await reader.stop()

    const bytes = (1 + latencies.length) * LINE_BYTES
    const newcomer = read(late)
    const first = newcomer.print(LINE_BYTES)
    // they can arrive together
    const milliseconds = Math.max(1, (await newcomer.print(bytes)) - (await first))
    await newcomer.stop()
    await writer.stop()
    return {
      p50: percentile(latencies, 0.5),
      disk: (await diskUsage(join(place.directory, 'store'))) / bytes,
      history: (latencies.length / milliseconds) * 1000
    }
  })
}

/** Publishes lines 1 and following at their times. Resolves to the ms that each took to the reader's output. */
async function publish(
  writer: Program,
  reader: Program,
  { rate, lines }: { readonly rate: number; readonly lines: number }
): Promise<number[]> {
  const began = performance.now()
  const latencies: Promise<number>[] = []
  for (let line = 1; line <= lines; line++) {
    const wait = began + (line * 1000) / rate - performance.now()
    if (wait > 0) await delay(wait)
    const sent = performance.now() - reader.began
    writer.stdin.write(lineAt(line))
    latencies.push(reader.print((line + 1) * LINE_BYTES).then((arrived) => arrived - sent))
  }
  return await Promise.all(latencies)
}

function lineAt(index: number): string {
  return `${String(index).padStart(LINE_BYTES - 1, '.')}\n`
}
