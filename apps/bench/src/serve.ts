import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from './lab.ts'
import type { Program } from './program.ts'
import type { Place, ReadOptions, System } from './systems.ts'
import type { Workload } from './workloads.ts'

/** The writer's first line on standard output: the tutorial's. */
export const KEY: RegExp = /main core key: ([0-9a-f]{64})\n/
/** What a writer says on standard error when its input has ended and is durable. */
export const PUBLISHED: RegExp = /\d+ (?:lines|blocks) published/

/** A running writer and its log. */
export interface Served {
  readonly system: System
  readonly key: string
  readonly workload: Workload
  readonly writer: Program
  /** In ms: from the start of the writer's process to its key, and from the first byte into its pipe to all being durable. */
  readonly times: { readonly key: number; readonly published: number }
  /** Starts a reader that has nothing yet, in `directory`. */
  readonly read: (directory: string, options: Pick<ReadOptions, 'transport' | 'exit'>) => Program
}

export interface ServeOptions {
  readonly system: System
  readonly workload: Workload
  readonly place: Place
}

/** Starts a writer, lets a workload flow in, and resolves when that is durable. */
export async function serve(lab: Lab, { system, workload, place }: ServeOptions): Promise<Served> {
  const { program: writer, feed } = lab.startPiped(system.write(place, { route: workload.route }))
  const key = await writer.match(KEY)
  const published = writer.said(PUBLISHED)
  const began = performance.now()
  feed(workload.file)
  await published
  const times = { key: began - writer.began, published: performance.now() - began }
  return {
    system,
    key,
    workload,
    writer,
    times,
    read: (directory, options) => lab.start(system.read(place, { ...options, key, directory }))
  }
}

/** Serves all of them side by side while `work` measures, each found by a reader already. */
export async function serveAll<T>(
  lab: Lab,
  served: readonly Omit<ServeOptions, 'place'>[],
  work: (served: readonly Served[]) => Promise<T>
): Promise<T> {
  return await lab.within(async (directory) => {
    const running = await Promise.all(
      served.map(async (options, index) => {
        const place = { directory: join(directory, String(index)), bootstrap: lab.bootstrap }
        await mkdir(place.directory)
        const one = await serve(lab, { ...options, place })
        await meet(lab, one)
        return one
      })
    )
    const result = await work(running)
    await Promise.all(running.map(({ writer }) => writer.stop()))
    return result
  })
}

/** A first reader, not measured: the writer has then been announced. */
async function meet(lab: Lab, served: Served): Promise<void> {
  await lab.within(async (directory) => {
    const reader = served.read(directory, { transport: 'hyperswarm' })
    await reader.print(1)
    await reader.stop()
  })
}
