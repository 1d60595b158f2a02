import { atLeast, type Bench, MEMORY_GOAL, rateOf, shortened, unitOf, workloadsOf } from '../benchmark.ts'
import type { Goal } from '../report.ts'
import { interleave, type Sample } from '../runner.ts'
import { type Served, serveAll } from '../serve.ts'
import { manyCores, noise, rawBlocks, rawLines, type System, type Transport, tutorial } from '../systems.ts'
import type { Workload } from '../workloads.ts'

/** History to a reader that has nothing: from the start of its process to the last byte on its standard output. */
export async function sync(bench: Bench): Promise<void> {
  for (const workload of workloadsOf(bench)) await syncOne(bench, workload)
}

async function syncOne(bench: Bench, workload: Workload): Promise<void> {
  const { lab, plan, report } = bench
  const isSmallLines = unitOf(workload.name) === 'lines/s'
  const slow: [System, number][] = [
    [rawLines, plan.syncLines],
    [tutorial, plan.tutorialLines]
  ]
  const served = [
    ...[manyCores, rawBlocks, noise(workload.file)].map((system) => ({ system, workload })),
    ...slow
      .filter(() => isSmallLines)
      .map(([system, most]) => ({ system, workload: shortened(lab, workload, most) }))
  ]
  const medians = await serveAll(lab, served, (all) =>
    interleave(
      plan.rounds,
      Object.fromEntries(
        all.flatMap((one) =>
          transportsOf(one.system).map((transport) => [
            nameOf(one.system, transport),
            () => fetchAll(bench, one, transport)
          ])
        )
      )
    )
  )

  const { name } = workload
  const compare = (transport: Transport, baseline: string, goal?: Goal): void =>
    report({
      benchmark: 'sync',
      name,
      subject: `reader over ${transport}`,
      value: medians(nameOf(manyCores, transport), 'rate'),
      unit: unitOf(name),
      baseline: { name: baseline, value: medians(baseline, 'rate') },
      goal
    })
  if (isSmallLines) {
    compare('hyperswarm', nameOf(rawLines, 'hyperswarm'), atLeast(60))
    compare('hyperswarm', nameOf(tutorial, 'hyperswarm'))
  }
  compare('hyperswarm', nameOf(rawBlocks, 'hyperswarm'), atLeast(isSmallLines ? 0.8 : 0.9))
  compare('hyperswarm', nameOf(noise(''), 'hyperswarm'))
  compare('local', nameOf(rawBlocks, 'local'))
  compare('local', nameOf(manyCores, 'hyperswarm'), atLeast(1))
  for (const side of ['reader', 'writer'] as const) {
    const baseline = nameOf(rawBlocks, 'hyperswarm')
    report({
      benchmark: 'sync',
      name,
      subject: `${side} memory over hyperswarm`,
      value: medians(nameOf(manyCores, 'hyperswarm'), side),
      unit: 'MB',
      baseline: { name: baseline, value: medians(baseline, side) },
      goal: MEMORY_GOAL
    })
  }
}

/** What takes one line a block, or nothing at all into account, is compared over Hyperswarm alone. */
function transportsOf(system: System): readonly Transport[] {
  return system === manyCores || system === rawBlocks ? ['hyperswarm', 'local'] : ['hyperswarm']
}

function nameOf({ name }: System, transport: Transport): string {
  return `${name} over ${transport}`
}

async function fetchAll({ lab }: Bench, served: Served, transport: Transport): Promise<Sample> {
  return await lab.within(async (directory) => {
    const { workload, writer } = served
    const reader = served.read(directory, { transport, exit: true })
    const milliseconds = await reader.print(workload.bytes)
    const memory = { reader: reader.peakMemory, writer: writer.peakMemory }
    await reader.stop()
    if (reader.printed !== workload.bytes)
      throw new Error(
        `a reader of ${served.system.name} printed ${reader.printed} bytes of ${workload.bytes}`
      )
    return { rate: rateOf(workload, milliseconds), ...memory }
  })
}
