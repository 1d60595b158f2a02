/** What one run of one contender measured, by name of the metric. */
export type Sample = Readonly<Record<string, number>>

/** Measures once. */
export type Contender = () => Promise<Sample>

/** The medians of every contender, by its name. */
export type Medians = (contender: string, metric: string) => number

/**
 * Runs the contenders in turn, round by round (A B A B …), so that what the machine does meanwhile falls on all of them;
 * resolves to their medians.
 */
export async function interleave(
  rounds: number,
  contenders: Readonly<Record<string, Contender>>
): Promise<Medians> {
  const samples = new Map<string, Sample[]>()
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const sample = await run()
      samples.set(name, [...(samples.get(name) ?? []), sample])
    }
  }
  return (contender, metric) => {
    const values = (samples.get(contender) ?? []).map((sample) => sample[metric] ?? Number.NaN)
    return median(values)
  }
}

/** The middle value; the mean of the two in the middle of an even number; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1)
  return (low + high) / 2
}

/** The smallest value that at least `share` of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
