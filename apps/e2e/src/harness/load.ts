import { availableParallelism, loadavg } from 'node:os'

/** Scales a time limit for an idle machine to the current load: longer if several processes share a core. */
export function underLoad(milliseconds: number): number {
  const [lastMinute = 0] = loadavg()
  return Math.ceil(milliseconds * Math.max(1, lastMinute / availableParallelism()))
}
