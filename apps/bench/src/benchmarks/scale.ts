import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { atMost, type Bench, MEMORY_GOAL, rateOf } from '../benchmark.ts'
import type { Goal, Unit } from '../report.ts'
import { interleave, type Medians, type Sample } from '../runner.ts'
import { type Served, serve, serveAll } from '../serve.ts'
import { manyCores } from '../systems.ts'

// What grows, and with what: readers, cores, lines. The smallest size of the same run is the baseline.

/** Readers that start at once: the time until each has everything, next to the processor time that one takes. */
export async function scaleReaders(bench: Bench): Promise<void> {
  const { lab, plan, report } = bench
  const { readers: counts, readersLines } = plan.scale
  const served = [{ system: manyCores, workload: lab.workload('W1', readersLines) }]
  const medians = await serveAll(lab, served, ([one]) =>
    interleave(
      plan.rounds,
      Object.fromEntries(counts.map((count) => [count, () => fetchBy(bench, one, count)]))
    )
  )
  const [one = 1] = counts
  for (const count of counts) {
    const limit = (medians(String(one), 'processor') / one / availableParallelism()) * count
    report({
      benchmark: 'scale',
      name: `${count} readers`,
      subject: 'until all have all',
      value: medians(String(count), 'seconds'),
      unit: 's',
      baseline: { name: 'processor time of one, times readers', value: limit },
      goal: count === 64 ? atMost(2) : undefined
    })
    reportMemory(bench, medians, { count, one, what: 'readers' })
  }
}

/** Processor time: of the readers until each had all, and of the writer meanwhile. */
async function fetchBy({ lab }: Bench, served: Served | undefined, count: number): Promise<Sample> {
  if (served === undefined) throw new Error('nothing is served')
  return await lab.within(async (directory) => {
    const { writer, workload } = served
    const before = writer.cpuSeconds
    const began = performance.now()
    const directories = Array.from({ length: count }, (_, index) => join(directory, String(index)))
    await Promise.all(directories.map((own) => mkdir(own)))
    const readers = directories.map((own) => served.read(own, { transport: 'local' }))
    const processor = await Promise.all(
      readers.map(async (reader) => {
        await reader.print(workload.bytes)
        return reader.cpuSeconds
      })
    )
    const seconds = (performance.now() - began) / 1000
    const memory = {
      reader: Math.max(...readers.map((reader) => reader.peakMemory)),
      writer: writer.peakMemory
    }
    const sum = processor.reduce((total, own) => total + own, writer.cpuSeconds - before)
    await Promise.all(readers.map((reader) => reader.stop()))
    return { seconds, processor: sum, ...memory }
  })
}

/** A log of many cores, each with lines: created, opened again, and read by a reader that has nothing. */
export async function scaleCores(bench: Bench): Promise<void> {
  const { plan, report } = bench
  const { cores: counts } = plan.scale
  const medians = await interleave(
    plan.rounds,
    Object.fromEntries(counts.map((count) => [count, () => useCores(bench, count)]))
  )
  const [one = 2] = counts
  const goals: Readonly<Record<string, Goal>> = {
    'key line of a new log': { of: 'value', at: 'most', bound: 5 },
    'key line of an existing log': { of: 'value', at: 'most', bound: 5 },
    'first line at a reader': { of: 'value', at: 'most', bound: 10 }
  }
  for (const count of counts) {
    for (const metric of [...Object.keys(goals), 'all lines durable', 'all lines at a reader']) {
      report({
        benchmark: 'scale',
        name: `${count} cores`,
        subject: metric,
        value: medians(String(count), metric),
        unit: 's',
        baseline: { name: `${one} cores`, value: medians(String(one), metric) },
        goal: count === 10_000 ? goals[metric] : undefined
      })
    }
    reportMemory(bench, medians, { count, one, what: 'cores' })
  }
}

async function useCores({ lab, plan }: Bench, cores: number): Promise<Sample> {
  return await lab.within((directory) =>
    lab.within(async (copy) => {
      const workload = { ...lab.workload('W1', plan.scale.coresLines), route: `round-robin:${cores}` }
      const place = { directory }
      const first = await serve(lab, { system: manyCores, workload, place })
      await first.writer.stop()

      // the same log once more, with nothing to add
      const again = await serve(lab, {
        system: manyCores,
        workload: { ...workload, file: '/dev/null' },
        place
      })
      const reader = again.read(copy, { transport: 'local' })
      const firstLine = await reader.print(1)
      const all = await reader.print(workload.bytes)
      const memory = {
        reader: reader.peakMemory,
        writer: Math.max(first.writer.peakMemory, again.writer.peakMemory)
      }
      await reader.stop()
      await again.writer.stop()
      return {
        'key line of a new log': first.times.key / 1000,
        'all lines durable': first.times.published / 1000,
        'key line of an existing log': again.times.key / 1000,
        'first line at a reader': firstLine / 1000,
        'all lines at a reader': all / 1000,
        ...memory
      }
    })
  )
}

/** The same for logs of any length: neither the rate nor the memory may depend on it. */
export async function scaleLines(bench: Bench): Promise<void> {
  const { plan, report } = bench
  const { lines: counts } = plan.scale
  const medians = await interleave(
    plan.rounds,
    Object.fromEntries(counts.map((count) => [count, () => passThrough(bench, count)]))
  )
  const [one = 1] = counts
  for (const count of counts) {
    for (const metric of ['ingest', 'sync']) {
      report({
        benchmark: 'scale',
        name: `${count} lines`,
        subject: metric,
        value: medians(String(count), metric),
        unit: 'lines/s',
        baseline: { name: `${one} lines`, value: medians(String(one), metric) }
      })
    }
    reportMemory(bench, medians, { count, one, what: 'lines' })
  }
}

async function passThrough({ lab }: Bench, lines: number): Promise<Sample> {
  return await lab.within((directory) =>
    lab.within(async (copy) => {
      const workload = lab.workload('W1', lines)
      const { writer, read, times } = await serve(lab, { system: manyCores, workload, place: { directory } })
      const reader = read(copy, { transport: 'local' })
      const milliseconds = await reader.print(workload.bytes)
      const memory = { reader: reader.peakMemory, writer: writer.peakMemory }
      await reader.stop()
      await writer.stop()
      return { ingest: rateOf(workload, times.published), sync: rateOf(workload, milliseconds), ...memory }
    })
  )
}

interface Size {
  readonly count: number
  readonly one: number
  readonly what: string
}

function reportMemory({ report }: Bench, medians: Medians, { count, one, what }: Size): void {
  const unit: Unit = 'MB'
  for (const side of ['reader', 'writer']) {
    report({
      benchmark: 'scale',
      name: `${count} ${what}`,
      subject: `${side} memory`,
      value: medians(String(count), side),
      unit,
      baseline: { name: `${one} ${what}`, value: medians(String(one), side) },
      goal: MEMORY_GOAL
    })
  }
}
