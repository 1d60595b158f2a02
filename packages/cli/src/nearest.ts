const MAX_EDITS = 2
const MIN_PREFIX = 3

/** The candidate that `word` was probably meant to be, if any: one that begins with it, or is at most two edits away. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const begun = candidates.filter((candidate) => word.length >= MIN_PREFIX && candidate.startsWith(word))
  if (begun.length === 1) return begun[0]
  const ranked = candidates.map((candidate) => ({ candidate, edits: editsBetween(word, candidate) }))
  const [best] = ranked.sort((a, b) => a.edits - b.edits)
  if (best === undefined || best.edits > Math.min(MAX_EDITS, word.length / 2)) return undefined
  return best.candidate
}

/** Levenshtein distance, one row of the table at a time. */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (from[index] === to[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
