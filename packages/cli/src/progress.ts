/** The progress of a task. */
export interface Progress {
  readonly done: number
  /** Absent if unknown. */
  readonly total?: number
  /** The noun for the count: `lines`. */
  readonly unit: string
  /** Transferred so far. */
  readonly bytes?: number
  /** In ms since the start: shows the rate and, with a total, the time left. */
  readonly elapsed?: number
  /** The part of `done` from before the start, which does not count for the rate. Default: 0. */
  readonly before?: number
}

const BAR_WIDTH = 20
/** Over a shorter time, a rate is meaningless. */
const MIN_ELAPSED_MS = 500

/** `[#####---------------] 1,000 of 4,000 lines (25 %), 88.0 kB, 2,000 lines/s, 2 s left`; unknown parts are left out. */
export function formatProgress(progress: Progress): string {
  const parts = [formatCount(progress)]
  if (progress.bytes !== undefined) parts.push(formatBytes(progress.bytes))
  const rate = rateOf(progress)
  if (rate !== undefined) {
    parts.push(`${grouped(Math.round(rate))} ${progress.unit}/s`)
    if (progress.total !== undefined)
      parts.push(`${formatTime((progress.total - progress.done) / rate)} left`)
  }
  return parts.join(', ')
}

/** `12.3 MB`: three digits, decimal units. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

function formatCount({ done, total, unit, elapsed }: Progress): string {
  if (total === undefined) return `${grouped(done)} ${unit}`
  const share = total === 0 ? 1 : done / total
  const bar = '#'.repeat(Math.min(1, share) * BAR_WIDTH).padEnd(BAR_WIDTH, '-')
  return `${elapsed === undefined ? '' : `[${bar}] `}${grouped(done)} of ${grouped(total)} ${unit} (${Math.floor(share * 100)} %)`
}

function rateOf({ done, before = 0, elapsed = 0 }: Progress): number | undefined {
  const rate = ((done - before) * 1000) / elapsed
  return elapsed >= MIN_ELAPSED_MS && rate > 0 ? rate : undefined
}

function formatTime(seconds: number): string {
  const whole = Math.ceil(Math.max(0, seconds))
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
