import type { Bound, Position, Reader } from '@many-cores/node'

/** `stored` (the cursor's position), or a bound of the log. */
export type From = 'stored' | Bound

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/** Smaller numbers are s since 1970, larger ones ms: 1e11 s is the year 5138, 1e11 ms is 1973. */
const FIRST_MS = 1e11

/** Parses the value of `--from`. */
export function parseFrom(text: string): From {
  return text === 'stored' ? text : parseBound(text, 'stored, start, end, a position, -N or @TIME')
}

/** Parses the value of `--until`. */
export function parseUntil(text: string): Bound {
  return parseBound(text, 'end, a position, -N or @TIME')
}

/** Parses the new position of a cursor. */
export function parsePosition(text: string): Bound {
  return parseBound(text, 'start, end, a position, -N or @TIME')
}

/** Checks the name of a cursor before a store is created. */
export function parseCursorName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text
  throw new Error(`invalid cursor name '${text}': expected 1 to 64 of A-Z a-z 0-9 . _ -`)
}

/** Parses a time, with or without `@`, to ms since 1970. */
export function parseTime(text: string): { readonly time: number } {
  const bare = text.startsWith('@') ? text.slice(1) : text
  const time = timeAgo(bare) ?? timeSince1970(bare) ?? timeOfDate(bare)
  if (time !== undefined) return { time }
  throw new Error(
    `invalid time '${bare}': expected a date such as 2026-05-04T12:00:00Z, an age such as 10m, 2h or 7d, or s or ms since 1970`
  )
}

/** The fixed position of a bound, which may move with the end of the log. With `cores`, it counts their lines. */
export async function resolveBound(
  reader: Reader,
  bound: Bound,
  { cores, ...wait }: ResolveOptions
): Promise<Position> {
  if (bound === 'start') return reader.manifest.version === 1 ? 0 : {}
  if (typeof bound === 'object' && !('time' in bound)) return bound
  if (typeof bound === 'number' && bound >= 0) return bound
  return await reader.locate(bound, { ...wait, ...(cores !== undefined && { cores }) })
}

interface ResolveOptions {
  readonly cores?: readonly string[] | undefined
  readonly timeout: number
  readonly signal: AbortSignal
}

function parseBound(text: string, expected: string): Bound {
  if (text === 'start' || text === 'end') return text
  if (text.startsWith('@')) return parseTime(text)
  const position = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(position))
    return Object.is(position, -0) ? 'end' : position
  throw new Error(`invalid position '${text}': expected ${expected}`)
}

function timeAgo(text: string): number | undefined {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? []
  const ms = UNITS[unit]
  return ms === undefined ? undefined : Date.now() - Number(count) * ms
}

function timeSince1970(text: string): number | undefined {
  if (!/^\d+(\.\d+)?$/.test(text)) return undefined
  const time = Number(text)
  return time < FIRST_MS ? time * 1000 : time
}

/** A date alone is midnight UTC; a date and a time without a zone are local time, as in ISO 8601. */
function timeOfDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text))
    return undefined
  const time = Date.parse(text.replace(' ', 'T'))
  return Number.isNaN(time) ? undefined : time
}
