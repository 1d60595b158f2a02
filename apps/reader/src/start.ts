import { grouped, ignore, plural, type RunContext, UsageError } from '@many-cores/cli'
import type { Bound, Cursor, Node, Reader } from '@many-cores/node'
import type { ReadValues } from './options.ts'
import type { From } from './position.ts'
import type { Sink } from './sink.ts'

/** Where `--from`, `--tail` or `--since` says to start. */
export function fromOf({ from, tail, since }: Pick<ReadValues, 'from' | 'tail' | 'since'>): From {
  if (tail !== undefined) return tail === 0 ? 'end' : -tail
  return since ?? from ?? 'stored'
}

/**
 * Whether a run to standard output moves its cursor: one that was named, or the default cursor if reading begins there and
 * skips no core. Any other run only looks.
 */
export function movesCursor({ group, only, except, ...start }: ReadValues): boolean {
  return group !== undefined || (fromOf(start) === 'stored' && only.length + except.length === 0)
}

/** Refuses a cursor that was begun with other cores: some lines would never be delivered. */
export function checkCursor({ name, state }: Cursor, cores: string): void {
  if (state?.file !== undefined)
    throw new UsageError(`cursor ${name} belongs to the file ${state.file}: use another --group`)
  if (state?.cores === undefined || state.cores === cores) return
  throw new UsageError(
    `cursor ${name} was begun with ${state.cores}, and now is ${cores}: lines would be skipped. Use the same --only and --except, or another --group`
  )
}

interface StartContext extends Pick<RunContext, 'status' | 'signal'> {
  readonly values: ReadValues
}

/** A shorter wait is not reported. */
const PATIENT_MS = 3000

/** With `--exit`, reports once that no peer was found so far. Call the result when nothing is waited for. */
export function reportWait(
  node: Node,
  { values: { exit, timeout }, status }: Pick<StartContext, 'values' | 'status'>
): () => void {
  if (!exit) return ignore
  const limit = timeout === 0 ? '' : ` for up to ${timeout} s (--timeout)`
  const report = (): void => {
    if (node.peers === 0) status.note(`no peer yet: waiting${limit} for one that knows the end of the log`)
  }
  const timer = setTimeout(report, PATIENT_MS)
  return () => clearTimeout(timer)
}

/** Reports where reading begins, if the command line does not say so. */
export function reportStart(reader: Reader, sink: Sink, { values, status, signal }: StartContext): void {
  const { from, isResumed } = sink
  const hint = hintOf(values)
  if (isResumed) status.note(`continuing at ${describe(from)}${hint}`)
  else if (from === 'start' && fromOf(values) === 'stored' && !movesCursor(values))
    status.note(`starting at the start${hint}`)
  if (values.exit || typeof from !== 'number' || from === 0) return
  const report = (length: number): void => {
    if (from > length) status.note(`${beyondEnd(from, length)}: waiting for it`)
    else if (from === length && isResumed) status.note(nothingNew(from))
  }
  reader.length({ timeout: values.timeout * 1000, signal }).then(report, ignore)
}

/** Reports why nothing was delivered. `length`: the known number of lines. Throws UsageError for a start beyond the end. */
export function explainNothing(
  { from, isResumed }: Sink,
  length: number | null,
  { values, status }: StartContext
): void {
  const { until, exit } = values
  // without --exit, or up to an earlier position, the end was not looked up
  const isEndKnown =
    exit && !(typeof until === 'number' && typeof from === 'number' && until >= 0 && until <= from)
  if (isEndKnown && typeof from === 'number' && length !== null && from > length)
    throw new UsageError(beyondEnd(from, length))
  if (isResumed) status.note(nothingNew(from))
}

/** The fault of a position that the log does not have yet. */
export function beyondEnd(position: number, length: number): string {
  return `position ${grouped(position)} is beyond the end of the log, which has ${grouped(length)} ${plural(length, 'line')}`
}

function hintOf(values: ReadValues): string {
  if (values.output !== undefined) return ''
  if (movesCursor(values)) return values.group === undefined ? '; --from start for everything' : ''
  return '; the cursor does not move with --only or --except: add --group NAME to continue next time'
}

function nothingNew(from: Bound): string {
  return `nothing new: everything before ${describe(from)} was delivered earlier`
}

function describe(from: Bound): string {
  return typeof from === 'number' ? grouped(from) : 'the position of the cursor'
}
