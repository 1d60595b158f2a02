/** One result: what was measured, next to what it is measured against. */
export interface Figure {
  readonly benchmark: string
  /** Which case: a workload, a transport, a size. */
  readonly name: string
  readonly subject: string
  readonly value: number
  readonly unit: Unit
  readonly baseline: { readonly name: string; readonly value: number }
  readonly goal?: Goal | undefined
}

export type Unit = 'lines/s' | 'MB/s' | 'ms' | 's' | 'MB' | 'bytes/byte'

/** A bound for the ratio to the baseline, or for the value itself. */
export interface Goal {
  readonly of: 'ratio' | 'value'
  readonly at: 'least' | 'most'
  readonly bound: number
}

/** `value` divided by the baseline's: more than 1 is more of it, be that good or bad. */
export function ratioOf({ value, baseline }: Figure): number {
  return value / baseline.value
}

/** `ingest W1 writer   1,020,000 lines/s   7.4x raw hypercore (138,000)   goal >= 7x` */
export function formatText(figure: Figure): string {
  const { benchmark, name, subject, value, unit, baseline, goal } = figure
  return [
    `${benchmark} ${name} ${subject}`.padEnd(48),
    `${formatNumber(value)} ${unit}`.padStart(20),
    `${formatNumber(ratioOf(figure))}x ${baseline.name} (${formatNumber(baseline.value)})`.padEnd(52),
    ...(goal === undefined ? [] : [`goal ${formatGoal(goal, unit)}${isMet(figure, goal) ? '' : ', missed'}`])
  ]
    .join('   ')
    .trimEnd()
}

/** One object, in one line. */
export function formatJson(figure: Figure): string {
  const { goal, ...rest } = figure
  const judged = goal === undefined ? {} : { goal: formatGoal(goal, figure.unit), met: isMet(figure, goal) }
  return JSON.stringify({ ...rest, ratio: ratioOf(figure), ...judged })
}

function isMet(figure: Figure, { of, at, bound }: Goal): boolean {
  const measured = of === 'ratio' ? ratioOf(figure) : figure.value
  return at === 'least' ? measured >= bound : measured <= bound
}

function formatGoal({ of, at, bound }: Goal, unit: Unit): string {
  const sign = at === 'least' ? '>=' : '<='
  return of === 'ratio' ? `${sign} ${bound}x` : `${sign} ${formatNumber(bound)} ${unit}`
}

/** Three digits, or all before the point. */
function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
