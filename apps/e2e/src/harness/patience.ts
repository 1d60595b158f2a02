import { availableParallelism, loadavg } from 'node:os'

/** What takes `milliseconds` on a machine that has nothing else to do; more where several processes wait for each core. */
export function underLoad(milliseconds: number): number {
  const [lastMinute = 0] = loadavg()
  return Math.ceil(milliseconds * Math.max(1, lastMinute / availableParallelism()))
}
