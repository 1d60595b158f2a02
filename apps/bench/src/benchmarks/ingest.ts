import { atLeast, type Bench, MEMORY_GOAL, rateOf, shortened, unitOf, workloadsOf } from '../benchmark.ts'
import type { Command } from '../program.ts'
import type { Goal, Unit } from '../report.ts'
import { type Contender, interleave, type Sample } from '../runner.ts'
import { KEY, PUBLISHED } from '../serve.ts'
import {
  library,
  manyCores,
  type Place,
  rawBlocks,
  rawLines,
  rocksdb,
  tutorial,
  withoutFsync
} from '../systems.ts'
import type { Workload } from '../workloads.ts'

/** From a pipe to durable: how fast each takes a workload in, without and with the start and the end of its process. */
export async function ingest(bench: Bench): Promise<void> {
  for (const workload of workloadsOf(bench)) await ingestOne(bench, workload)
}

interface Rival {
  readonly name: string
  readonly command: (place: Place) => Command
  readonly workload: Workload
  readonly goal?: Goal
}

async function ingestOne(bench: Bench, workload: Workload): Promise<void> {
  const { lab, plan, report } = bench
  const { route } = workload
  const rivals = rivalsIn(bench, workload)
  const contender =
    (command: (place: Place) => Command, taken: Workload): Contender =>
    () =>
      lab.within((directory) => takeIn(bench, command({ directory }), taken))
  const medians = await interleave(plan.rounds, {
    writer: contender((place) => manyCores.write(place, { exit: true, route }), workload),
    library: contender((place) => library(place, { route }), workload),
    ...Object.fromEntries(rivals.map((rival) => [rival.name, contender(rival.command, rival.workload)]))
  })

  const { name } = workload
  const compare = (metric: string, subject: string, unit: Unit, rival: Rival, goal?: Goal): void =>
    report({
      benchmark: 'ingest',
      name,
      subject: metric === 'rate' ? subject : `${subject} ${metric}`,
      value: medians(subject, metric),
      unit,
      baseline: { name: rival.name, value: medians(rival.name, metric) },
      goal
    })
  const unit = unitOf(name)
  for (const rival of rivals) compare('rate', 'writer', unit, rival, rival.goal)
  for (const rival of rivals.slice(0, 1)) {
    compare('with start and end', 'writer', unit, rival)
    compare('rate', 'library', unit, rival)
    compare('memory', 'writer', 'MB', rival, MEMORY_GOAL)
    compare('memory', 'library', 'MB', rival, MEMORY_GOAL)
  }
}

/** What the writer is compared with: the first is the one that its goal names first. */
function rivalsIn({ lab, plan }: Bench, workload: Workload): Rival[] {
  const exit = { exit: true }
  const lines: Rival = {
    name: rawLines.name,
    command: (place) => rawLines.write(place, exit),
    workload,
    goal: atLeast(7)
  }
  const blocks: Rival = { name: rawBlocks.name, command: (place) => rawBlocks.write(place, exit), workload }
  const values: Rival = { name: 'raw rocksdb', command: (place) => rocksdb(place, 'lines'), workload }
  const large: Rival = { name: 'raw rocksdb 64 KiB', command: (place) => rocksdb(place, 'blocks'), workload }
  const unsynced: Rival = {
    name: withoutFsync.name,
    command: (place) => withoutFsync.write(place, { ...exit, route: workload.route }),
    workload
  }
  if (unitOf(workload.name) === 'MB/s') return [{ ...blocks, goal: atLeast(0.8) }, large, unsynced]
  const tutored = {
    name: tutorial.name,
    command: (place: Place) => tutorial.write(place, exit),
    workload: shortened(lab, workload, plan.tutorialLines)
  }
  return [lines, { ...values, goal: atLeast(1) }, blocks, large, unsynced, tutored]
}

async function takeIn({ lab }: Bench, command: Command, workload: Workload): Promise<Sample> {
  const { program, feed } = lab.startPiped(command)
  await program.match(KEY)
  const published = program.said(PUBLISHED)
  const began = performance.now()
  feed(workload.file)
  await published
  const ended = performance.now()
  const memory = program.peakMemory
  await program.done()
  return {
    rate: rateOf(workload, ended - began),
    'with start and end': rateOf(workload, performance.now() - program.began),
    memory: Math.max(memory, program.peakMemory)
  }
}
