import type { Bound } from '@many-cores/node'

/** `stored`, or a bound of the log. */
export type From = 'stored' | Bound

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/** Above, a number is ms since 1970; below, s: 1e11 s is the year 5138, 1e11 ms is 1973. */
const FIRST_MS = 1e11

/** What `--from` takes. Throws an Error that says what would be right. */
export function parseFrom(text: string): From {
  return text === 'stored' ? text : parseBound(text, 'stored, start, end, a position, -N and @TIME')
}

/** What `--until` takes. */
export function parseUntil(text: string): Bound {
  return parseBound(text, 'end, a position, -N and @TIME')
}

/** What a cursor can be set to. */
export function parsePlace(text: string): Bound {
  return parseBound(text, 'start, end, a position, -N and @TIME')
}

/** The name of a cursor, checked before a store is made for it. */
export function parseCursorName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text
  throw new Error(`'${text}' is no cursor name: 1 to 64 of A-Z a-z 0-9 . _ -`)
}

/** A time, with or without its `@`: ISO 8601, so long ago, or s or ms since 1970; in ms. */
export function parseTime(text: string): { readonly time: number } {
  const bare = text.startsWith('@') ? text.slice(1) : text
  const time = timeAgo(bare) ?? timeSince1970(bare) ?? timeOfDate(bare)
  if (time !== undefined) return { time }
  throw new Error(
    `'${bare}' is no time: 2026-05-04T12:00:00Z, 10m, 2h or 7d ago, and 1778500000 (s or ms since 1970) are`
  )
}

function parseBound(text: string, right: string): Bound {
  if (text === 'start' || text === 'end') return text
  if (text.startsWith('@')) return parseTime(text)
  const place = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(place)) return Object.is(place, -0) ? 'end' : place
  throw new Error(`'${text}' is no place; ${right} are`)
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

/** A date alone is midnight UTC; a date and a time without a zone are local, as ISO 8601 has it. */
function timeOfDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text))
    return undefined
  const time = Date.parse(text.replace(' ', 'T'))
  return Number.isNaN(time) ? undefined : time
}
