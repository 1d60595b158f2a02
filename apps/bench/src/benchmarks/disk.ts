import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, unitOf, workloadsOf } from '../benchmark.ts'
import type { Goal } from '../report.ts'
import { interleave, type Sample } from '../runner.ts'
import { serve } from '../serve.ts'
import { manyCores, rawBlocks, type System } from '../systems.ts'
import type { Workload } from '../workloads.ts'

const STAT_BLOCK_BYTES = 512

/** What the stores take on disk once they are closed, by byte published: the writer's, and that of a reader that has all. */
export async function disk(bench: Bench): Promise<void> {
  const { plan, report } = bench
  for (const workload of workloadsOf(bench)) {
    const medians = await interleave(plan.rounds, {
      [manyCores.name]: () => store(bench, manyCores, workload),
      [rawBlocks.name]: () => store(bench, rawBlocks, workload)
    })
    for (const side of ['writer', 'reader'] as const) {
      report({
        benchmark: 'disk',
        name: workload.name,
        subject: side,
        value: medians(manyCores.name, side),
        unit: 'bytes/byte',
        baseline: { name: rawBlocks.name, value: medians(rawBlocks.name, side) },
        goal: goalOf(workload)
      })
    }
  }
}

function goalOf({ name }: Workload): Goal {
  return { of: 'value', at: 'most', bound: unitOf(name) === 'lines/s' ? 1.3 : 1.1 }
}

async function store({ lab }: Bench, system: System, workload: Workload): Promise<Sample> {
  return await lab.within((directory) =>
    lab.within(async (copy) => {
      const { writer, read } = await serve(lab, { system, workload, place: { directory } })
      const reader = read(copy, { transport: 'local' })
      await reader.print(workload.bytes)
      await reader.stop()
      await writer.stop()
      return {
        writer: (await diskUsage(join(directory, 'store'))) / workload.bytes,
        reader: (await diskUsage(join(copy, 'store'))) / workload.bytes
      }
    })
  )
}

/** What `du` says: blocks that are taken, not lengths of files, which may have holes. */
export async function diskUsage(path: string): Promise<number> {
  const stat = await lstat(path)
  const own = stat.blocks * STAT_BLOCK_BYTES
  if (!stat.isDirectory()) return own
  const below = await Promise.all((await readdir(path)).map((name) => diskUsage(join(path, name))))
  return below.reduce((sum, bytes) => sum + bytes, own)
}
