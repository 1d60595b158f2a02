import type { WorkloadName } from './workloads.ts'

/** How much is measured. */
export interface Plan {
  readonly rounds: number
  /** Whether figures are compared with their goals: tiny sizes say nothing. */
  readonly judges: boolean
  /** The workloads, with the lines of each. */
  readonly workloads: Readonly<Partial<Record<WorkloadName, number>>>
  /** The limit of lines for contenders that send one line a block: their rate does not depend on the number. */
  readonly syncLines: number
  /** The same for the tutorial, which is even slower. */
  readonly tutorialLines: number
  readonly live: { readonly warmup: number; readonly lines: number }
  /** How long lines are published with each `--linger`. */
  readonly lingerSeconds: number
  /** The log that a reader finds when its start is measured. */
  readonly startLines: number
  readonly scale: {
    readonly readers: readonly number[]
    readonly readersLines: number
    readonly cores: readonly number[]
    readonly coresLines: number
    readonly lines: readonly number[]
  }
}

export type PlanName = 'full' | 'small'

/** `full` is what counts; `small` only shows that everything runs. */
export const PLANS: Readonly<Record<PlanName, Plan>> = {
  full: {
    rounds: 5,
    judges: true,
    workloads: { W1: 1_000_000, W2: 100_000, W3: 16_384, W4: 1_000_000 },
    syncLines: 50_000,
    tutorialLines: 10_000,
    live: { warmup: 50, lines: 500 },
    lingerSeconds: 60,
    startLines: 100_000,
    scale: {
      readers: [1, 4, 16, 64],
      readersLines: 200_000,
      cores: [2, 100, 1000, 10_000],
      coresLines: 100_000,
      lines: [10_000, 100_000, 1_000_000, 10_000_000]
    }
  },
  small: {
    rounds: 1,
    judges: false,
    // most of its time is that of starting processes: one workload starts as many as can be afforded at every commit
    workloads: { W1: 1000 },
    syncLines: 200,
    tutorialLines: 100,
    live: { warmup: 2, lines: 20 },
    lingerSeconds: 0.5,
    startLines: 100,
    scale: { readers: [1, 2], readersLines: 1000, cores: [2, 10], coresLines: 200, lines: [100, 1000] }
  }
}
