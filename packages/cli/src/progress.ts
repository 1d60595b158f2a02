import { plural } from './text.ts'

/** The progress of a task. */
export interface Progress {
  readonly done: number
  /** Absent if unknown. */
  readonly total?: number
  /** The noun for one of what is counted: `line`. */
  readonly unit: string
  /** Transferred so far. */
  readonly bytes?: number
  /** In ms since the start: shows the rate and, with a total, the time left. */
  readonly elapsed?: number
  /** The part of `done` from before the start, which does not count for the rate. Default: 0. */
  readonly before?: number
}

const BAR_WIDTH = 10
/** Over a shorter time, a rate is meaningless. */
const MIN_ELAPSED_MS = 500

/**
 * What to show of `progress`, the most important part first: `25 %`, `2 s left`, `[##--------]`, `1,000 of 4,000 lines`,
 * `2,000 lines/s`, `88.0 kB`. Unknown parts are left out.
 */
export function progressParts(progress: Progress): string[] {
  const { done, before = 0, total, unit, bytes, elapsed = 0 } = progress
  const rate = rateOf(done - before, elapsed)
  const parts: string[] = []
  if (total !== undefined) {
    const share = total === 0 ? 1 : Math.min(1, done / total)
    parts.push(`${Math.floor(share * 100)} %`)
    if (rate !== undefined) parts.push(`${formatTime((total - done) / rate)} left`)
    parts.push(`[${'#'.repeat(share * BAR_WIDTH).padEnd(BAR_WIDTH, '-')}]`)
  }
  const of = total === undefined ? '' : ` of ${grouped(total)}`
  parts.push(`${grouped(done)}${of} ${plural(total ?? done, unit)}`)
  if (rate !== undefined) parts.push(formatRate(rate, unit))
  if (bytes !== undefined) parts.push(formatBytes(bytes))
  return parts
}

/** `2,000 lines, 88.0 kB in 1.2 s (1,667 lines/s)`; without a rate if that was too short. */
export function formatTransfer(count: number, unit: string, bytes: number, elapsed: number): string {
  const rate = rateOf(count, elapsed)
  const amount = `${grouped(count)} ${plural(count, unit)}, ${formatBytes(bytes)}`
  const time = elapsed < 60_000 ? `${(elapsed / 1000).toFixed(1)} s` : formatTime(elapsed / 1000)
  return `${amount} in ${time}${rate === undefined ? '' : ` (${formatRate(rate, unit)})`}`
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

/** Per second; undefined if it is meaningless. */
function rateOf(count: number, elapsed: number): number | undefined {
  return elapsed >= MIN_ELAPSED_MS && count > 0 ? (count * 1000) / elapsed : undefined
}

function formatRate(rate: number, unit: string): string {
  const rounded = Math.round(rate)
  return `${grouped(rounded)} ${plural(rounded, unit)}/s`
}

function formatTime(seconds: number): string {
  const whole = Math.ceil(Math.max(0, seconds))
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
