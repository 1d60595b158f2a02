import { availableParallelism, loadavg } from 'node:os'

/** How long anything may take that no test measures; only a fault takes so long. */
export const DEADLINE_MS = 30_000

/** What takes `milliseconds` on a machine that has nothing else to do; more where several processes wait for each core. */
export function underLoad(milliseconds: number): number {
  const [lastMinute = 0] = loadavg()
  return Math.ceil(milliseconds * Math.max(1, lastMinute / availableParallelism()))
}
