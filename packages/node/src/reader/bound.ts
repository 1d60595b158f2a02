import type { BootstrapManifest } from '@many-cores/protocol'
import { NodeError } from '../errors.ts'
import type { Place } from './batch.ts'

/**
 * A point of a log: `start`, `end`, a position, a negative number (so many lines before the end; -0 is the end itself, as
 * `-n` is where n is 0), the first line at or after a time (in ms since 1970, or a Date), or a place that a batch or a
 * cursor named. A tutorial log has no positions and no times.
 */
export type Bound = 'start' | 'end' | Place | TimeBound

/** The first line at or after this time. */
export interface TimeBound {
  readonly time: number | Date
}

/** A bound of a log with positions, checked. */
export type OrderedBound = number | 'end' | { readonly time: number }

/** A bound of a tutorial log, checked: the next block of each core by name, or the end of all. */
export type PerCoreBound = { readonly [core: string]: number } | 'end'

/** Whether `value` is a place in some log. */
export function isPlace(value: unknown): value is Place {
  return isIndex(value) || (isObject(value) && Object.values(value).every(isIndex))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0)
}

/** Throws NodeError `BAD_OPTION` where `bound` is none. */
export function orderedBound(bound: Bound): OrderedBound {
  if (bound === 'start') return 0
  if (isEnd(bound)) return 'end'
  const time = timeOf(bound)
  if (time !== undefined) return { time }
  if (Number.isSafeInteger(bound)) return bound as number
  throw new NodeError(
    'BAD_OPTION',
    `${JSON.stringify(bound)} is no place in this log: it is start, end, a position, or a time`
  )
}

/** Throws NodeError `BAD_OPTION` where `bound` is none. */
export function perCoreBound(bound: Bound): PerCoreBound {
  if (isEnd(bound)) return 'end'
  if (bound === 'start' || bound === 0) return {}
  if (typeof bound === 'object' && timeOf(bound) === undefined && isPlace(bound)) return bound
  throw new NodeError(
    'BAD_OPTION',
    `a tutorial log has no positions and no times: begin at start, at end, or at a cursor, not at ${JSON.stringify(bound)}`
  )
}

function isEnd(bound: Bound): boolean {
  return bound === 'end' || Object.is(bound, -0)
}

/** Whether only who knows where the log ends knows where the bound is; a store that has been away does not. */
export function dependsOnEnd(bound: OrderedBound | PerCoreBound): boolean {
  if (typeof bound === 'number') return bound < 0
  return bound === 'end' || 'time' in bound
}

/** Which cores are wanted, by index. Throws NodeError `BAD_OPTION` for a name that the log does not have. */
export function wantedCores(
  { cores }: BootstrapManifest,
  names: readonly string[] | undefined
): (core: number) => boolean {
  if (names === undefined) return () => true
  const known = new Map(cores.map((core, index) => [core.name, index]))
  const wanted = new Set(names.map((name) => known.get(name) ?? unknownCore(name, known)))
  return (core) => wanted.has(core)
}

function timeOf(bound: Bound): number | undefined {
  if (typeof bound !== 'object' || !('time' in bound)) return undefined
  const { time } = bound
  const ms = time instanceof Date ? time.getTime() : time
  if (Number.isFinite(ms)) return ms
  throw new NodeError('BAD_OPTION', 'a time is a number of ms since 1970, or a valid Date')
}

/** A log may have 16,384 cores: the message names the first few. */
const NAMED_CORES = 8

function unknownCore(name: string, known: ReadonlyMap<string, number>): never {
  const names = [...known.keys()]
  const some = names.slice(0, NAMED_CORES).join(', ')
  const rest = names.length > NAMED_CORES ? ` and ${names.length - NAMED_CORES} more` : ''
  throw new NodeError('BAD_OPTION', `the log has no core ${JSON.stringify(name)}; it has ${some}${rest}`)
}
