import type { Lab } from './lab.ts'
import type { Plan } from './plan.ts'
import type { Figure, Goal, Unit } from './report.ts'
import type { Workload } from './workloads.ts'

/** What a benchmark works with. */
export interface Bench {
  readonly lab: Lab
  readonly plan: Plan
  readonly report: (figure: Figure) => void
}

/** Measures, and reports each figure as it has it. */
export type Benchmark = (bench: Bench) => Promise<void>

export const MEMORY_GOAL: Goal = { of: 'value', at: 'most', bound: 250 }

/** Only as many lines of each workload as the plan says. */
export function workloadsOf({ lab, plan }: Bench): Workload[] {
  const { W1, W2, W3, W4 } = plan.workloads
  const all = [
    ['W1', W1],
    ['W2', W2],
    ['W3', W3],
    ['W4', W4]
  ] as const
  return all.flatMap(([name, lines]) => (lines === undefined ? [] : [lab.workload(name, lines)]))
}

/** The start of `workload`, for contenders that would take too long for all of it. */
export function shortened(lab: Lab, { name, lines }: Workload, most: number): Workload {
  return lab.workload(name, Math.min(lines, most))
}

/** Small lines are counted, large ones weighed. */
export function rateOf({ name, lines, bytes }: Workload, milliseconds: number): number {
  return unitOf(name) === 'lines/s' ? (lines * 1000) / milliseconds : bytes / 1e3 / milliseconds
}

export function unitOf(name: Workload['name']): Unit {
  return name === 'W1' || name === 'W4' ? 'lines/s' : 'MB/s'
}

export function atLeast(bound: number): Goal {
  return { of: 'ratio', at: 'least', bound }
}

export function atMost(bound: number): Goal {
  return { of: 'ratio', at: 'most', bound }
}
