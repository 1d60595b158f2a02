import { type CoreExtent, type JournalRecord, type LostRange, MAX_LOSSES } from '@many-cores/protocol'
import type { CoreExtents, Survey } from './survey.ts'

/** How a log is made whole without what nobody has. */
export interface Loss {
  /** Blocks to be put in place of those that records name and no core has, by core. */
  readonly padding: ReadonlyMap<number, number>
  /** How long the cores are before. */
  readonly cores: readonly CoreExtents[]
  readonly record: JournalRecord
  /** The lines from here on are given up … */
  readonly position: number
  /** … at so many positions; 0 where there were no records of them. */
  readonly lines: number
}

/** Gives up all that `survey` found behind the last whole batch; null where a log cannot have that many losses. */
export function giveUp(
  survey: Survey,
  cores: readonly CoreExtents[],
  { before, block }: { readonly before: readonly LostRange[]; readonly block: number }
): Loss | null {
  const { journal, position, bound } = survey
  const lost = [...before.filter(([, end]) => end < journal), [journal, block] as const]
  if (lost.length > MAX_LOSSES) return null
  const padding = paddingOf(survey, cores)
  const at = cores.flatMap(({ length }, core): CoreExtent[] => {
    const end = survey.ends.get(core) ?? 0
    const blocks = length + (padding.get(core) ?? 0) - end
    return blocks === 0 ? [] : [[core, end, blocks]]
  })
  const record = { seq: bound, time: Math.max(survey.time, Date.now()), at, order: [], lost }
  return { padding, cores, record, position, lines: bound - position }
}

/** What records name has its place, and nothing else comes there. */
function paddingOf({ named, isUnknown }: Survey, cores: readonly CoreExtents[]): Map<number, number> {
  const padding = new Map<number, number>()
  for (const [core, { length }] of cores.entries()) {
    // who has a record that is not here comes to its first block before the others
    const blocks = Math.max((named.get(core) ?? 0) - length, isUnknown ? 1 : 0)
    if (blocks > 0) padding.set(core, blocks)
  }
  return padding
}
