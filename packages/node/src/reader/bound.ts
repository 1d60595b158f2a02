import type { BootstrapManifest } from '@many-cores/protocol'
import { NodeError } from '../errors.ts'
import type { Position } from './batch.ts'

/**
 * A point of a log: `start`; `end`; a position, also one that a batch or a cursor named; a negative number, counted from the
 * end (-0 is the end itself, as `-n` is if n is 0), in lines of the selected `cores`; or a time. A tutorial log has no times,
 * and its positions are those of its batches and cursors.
 */
export type Bound = 'start' | 'end' | Position | TimeBound

/** The first line at or after this time, in ms since 1970 or as a Date. */
export interface TimeBound {
  readonly time: number | Date
}

/** A checked bound of a log with a journal. */
export type OrderedBound = number | 'end' | { readonly time: number }

/** A checked bound of a tutorial log: the next block of each core by name, or the end of all. */
export type PerCoreBound = { readonly [core: string]: number } | 'end'

export function isPosition(value: unknown): value is Position {
  return isIndex(value) || (isObject(value) && Object.values(value).every(isIndex))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0)
}

/** Checks a bound of a log with a journal. Throws NodeError `BAD_OPTION`. */
export function orderedBound(bound: Bound): OrderedBound {
  if (bound === 'start') return 0
  if (isEnd(bound)) return 'end'
  const time = timeOf(bound)
  if (time !== undefined) return { time }
  if (Number.isSafeInteger(bound)) return bound as number
  throw new NodeError(
    'BAD_OPTION',
    `invalid position ${JSON.stringify(bound)}: expected start, end, a whole number, or a time`
  )
}

/** Checks a bound of a tutorial log. Throws NodeError `BAD_OPTION`. */
export function perCoreBound(bound: Bound): PerCoreBound {
  if (isEnd(bound)) return 'end'
  if (bound === 'start' || bound === 0) return {}
  if (typeof bound === 'object' && timeOf(bound) === undefined && isPosition(bound)) return bound
  throw new NodeError(
    'BAD_OPTION',
    `invalid position ${JSON.stringify(bound)}: a tutorial log has no positions across its cores, and no times; expected start, end, or the position of a cursor`
  )
}

function isEnd(bound: Bound): boolean {
  return bound === 'end' || Object.is(bound, -0)
}

/** Whether the bound depends on where the log ends, which a store may not know. */
export function dependsOnEnd(bound: OrderedBound | PerCoreBound | null): boolean {
  if (typeof bound === 'number') return bound < 0
  return bound !== null && (bound === 'end' || 'time' in bound)
}

/** A predicate for the indexes of the wanted cores. Throws NodeError `BAD_OPTION` for a name that the log does not have. */
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
  throw new NodeError('BAD_OPTION', 'invalid time: expected a number of ms since 1970, or a valid Date')
}

/** A log may have 16,384 cores: the message names the first few. */
const NAMED_CORES = 8

function unknownCore(name: string, known: ReadonlyMap<string, number>): never {
  const names = [...known.keys()]
  const some = names.slice(0, NAMED_CORES).join(', ')
  const rest = names.length > NAMED_CORES ? ` and ${names.length - NAMED_CORES} more` : ''
  throw new NodeError('BAD_OPTION', `the log has no core ${JSON.stringify(name)}; it has ${some}${rest}`)
}
