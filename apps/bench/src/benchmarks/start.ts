import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { atMost, type Bench } from '../benchmark.ts'
import type { Command } from '../program.ts'
import { type Contender, interleave, type Medians, type Sample } from '../runner.ts'
import { KEY, type Served, serve, serveAll } from '../serve.ts'
import { bare, manyCores, rawBlocks, type System, type Transport } from '../systems.ts'

const TRANSPORTS: readonly Transport[] = ['hyperswarm', 'local']

/** How soon a writer is of use, and how soon it is gone: from the start of the process to its key line; and from SIGTERM to its end. */
export async function startWriters(bench: Bench): Promise<void> {
  const { lab, plan } = bench
  await lab.within(async (directory) => {
    const existing = { directory: join(directory, 'existing') }
    await mkdir(existing.directory)
    const workload = lab.workload('W1', plan.startLines)
    const { writer } = await serve(lab, { system: manyCores, workload, place: existing })
    await writer.stop()

    const { bootstrap } = lab
    const onNew =
      (command: (own: string) => Command): Contender =>
      () =>
        lab.within((own) => startWriter(bench, command(own)))
    const medians = await interleave(plan.rounds, {
      writer: onNew((own) => manyCores.write({ directory: own, bootstrap })),
      'writer, existing log': () => startWriter(bench, manyCores.write({ ...existing, bootstrap })),
      'bare process': onNew((own) => bare({ directory: own })),
      'raw hypercore': onNew((own) => rawBlocks.write({ directory: own, bootstrap }))
    })
    const compare = createCompare(bench, medians)
    compare('key line', 'writer', 'bare process', 1.3)
    compare('key line', 'writer, existing log', 'bare process', 1.3)
    compare('stop', 'writer', 'raw hypercore')
  })
}

async function startWriter({ lab }: Bench, command: Command): Promise<Sample> {
  const program = lab.start(command)
  await program.match(KEY)
  const ready = performance.now() - program.began
  return { 'key line': ready, stop: await program.stop() }
}

/** The same for a reader: from the start of a process that has nothing to the first bytes of an existing log; and from SIGTERM to its end. */
export async function startReaders(bench: Bench): Promise<void> {
  const { lab, plan } = bench
  const workload = lab.workload('W1', plan.startLines)
  const served = [manyCores, rawBlocks].map((system) => ({ system, workload }))
  await serveAll(lab, served, async (all) => {
    const medians = await interleave(
      plan.rounds,
      Object.fromEntries(
        all.flatMap((one) =>
          TRANSPORTS.map((transport) => [
            nameOf(one.system, transport),
            () => startReader(bench, one, transport)
          ])
        )
      )
    )
    const compare = createCompare(bench, medians)
    for (const transport of TRANSPORTS) {
      compare('first line', nameOf(manyCores, transport), nameOf(rawBlocks, transport))
      compare('stop', nameOf(manyCores, transport), nameOf(rawBlocks, transport))
    }
  })
}

async function startReader({ lab }: Bench, served: Served, transport: Transport): Promise<Sample> {
  return await lab.within(async (directory) => {
    const reader = served.read(directory, { transport })
    const first = await reader.print(1)
    await reader.print(served.workload.bytes)
    return { 'first line': first, stop: await reader.stop() }
  })
}

function nameOf(system: System, transport: Transport): string {
  return `${system === manyCores ? 'reader' : system.name} over ${transport}`
}

type Compare = (metric: string, subject: string, baseline: string, most?: number) => void

function createCompare({ report }: Bench, medians: Medians): Compare {
  return (metric, subject, baseline, most) =>
    report({
      benchmark: 'start',
      name: metric,
      subject,
      value: medians(subject, metric),
      unit: 'ms',
      baseline: { name: baseline, value: medians(baseline, metric) },
      goal: most === undefined ? undefined : atMost(most)
    })
}
