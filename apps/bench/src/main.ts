import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench, Benchmark } from './benchmark.ts'
import { disk } from './benchmarks/disk.ts'
import { ingest } from './benchmarks/ingest.ts'
import { linger } from './benchmarks/linger.ts'
import { live } from './benchmarks/live.ts'
import { scaleCores, scaleLines, scaleReaders } from './benchmarks/scale.ts'
import { startReaders, startWriters } from './benchmarks/start.ts'
import { sync } from './benchmarks/sync.ts'
import { openLab } from './lab.ts'
import { PLANS, type Plan } from './plan.ts'
import { type Figure, formatJson, formatText } from './report.ts'
import type { WorkloadName } from './workloads.ts'

const BENCHMARKS: ReadonlyMap<string, readonly Benchmark[]> = new Map(
  Object.entries({
    ingest: [ingest],
    sync: [sync],
    live: [live],
    start: [startWriters, startReaders],
    scale: [scaleReaders, scaleCores, scaleLines],
    disk: [disk],
    linger: [linger]
  })
)

const USAGE = `pnpm bench [NAME…] [--json] [--rounds N] [--workload W…] [--size small|full]

  NAME           ${[...BENCHMARKS.keys()].join(', ')}; all of them where none is given
  --json         one object a line (pnpm -s bench --json keeps pnpm's banner away)
  --rounds N     how often each contender runs; the figures are medians (full: 5, small: 1)
  --workload W   some of W1, W2, W3, W4, with commas between them; all where it is not given
  --size SIZE    full, or small: whether it runs, nothing about how fast
`

interface Asked {
  readonly benchmarks: readonly Benchmark[]
  readonly plan: Plan
  readonly format: (figure: Figure) => string
}

// a signal ends the process, and its end takes everything with it
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    process.stderr.write(`bench: ${name}\n`)
    process.exit(128 + constants.signals[name])
  })
}

try {
  const asked = parse(process.argv.slice(2))
  if (asked === null) process.stdout.write(USAGE)
  else await measure(asked)
} catch (error) {
  fail(error)
}

function fail(error: unknown): void {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function measure({ benchmarks, plan, format }: Asked): Promise<void> {
  const lab = await openLab()
  const report = (figure: Figure): void => {
    const judged = plan.judges ? figure : { ...figure, goal: undefined }
    process.stdout.write(`${format(judged)}\n`)
  }
  const bench: Bench = { lab, plan, report }
  try {
    for (const benchmark of benchmarks) {
      await benchmark(bench).catch((error: unknown) => {
        fail(error)
        // a failure must not waste the hours of the others
        return lab.clear()
      })
    }
  } finally {
    await lab.close()
  }
}

/** Null where help is asked for. */
function parse(argv: readonly string[]): Asked | null {
  // pnpm passes `--` on
  const args = argv[0] === '--' ? argv.slice(1) : [...argv]
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      workload: { type: 'string' },
      size: { type: 'string', default: 'full' },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return null
  const plan = taking(planOf(values.size), values.workload)
  const names = positionals.length === 0 ? [...BENCHMARKS.keys()] : positionals
  return {
    benchmarks: names.flatMap(benchmarksOf),
    plan: values.rounds === undefined ? plan : { ...plan, rounds: parseRounds(values.rounds) },
    format: values.json ? formatJson : formatText
  }
}

function benchmarksOf(name: string): readonly Benchmark[] {
  const benchmarks = BENCHMARKS.get(name)
  if (benchmarks === undefined) throw new Error(`there is no benchmark ${name}\n\n${USAGE}`)
  return benchmarks
}

function planOf(size: string): Plan {
  if (size === 'full' || size === 'small') return PLANS[size]
  throw new Error(`--size takes small or full, not ${size}`)
}

/** The plan with these workloads alone. */
function taking(plan: Plan, names: string | undefined): Plan {
  if (names === undefined) return plan
  const workloads = names.split(',').map((name): [WorkloadName, number] => {
    const [entry] = Object.entries(plan.workloads).filter(([own]) => own === name)
    if (entry === undefined) throw new Error(`there is no workload ${name} in this size`)
    return entry as [WorkloadName, number]
  })
  return { ...plan, workloads: Object.fromEntries(workloads) }
}

function parseRounds(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new Error(`--rounds takes a number from 1, not ${text}`)
}
