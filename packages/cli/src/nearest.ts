const MAX_EDITS = 2
const MIN_PREFIX = 3

/** The candidate closest to `word`, if any: the only one that begins with it, or one at most two edits away. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const completions = candidates.filter((candidate) => candidate.startsWith(word))
  if (word.length >= MIN_PREFIX && completions.length === 1) return completions[0]
  const ranked = candidates.map((candidate) => ({ candidate, edits: editsBetween(word, candidate) }))
  const [best] = ranked.sort((a, b) => a.edits - b.edits)
  if (best === undefined || best.edits > Math.min(MAX_EDITS, word.length / 2)) return undefined
  return best.candidate
}

/** The Damerau-Levenshtein distance, computed row by row. */
function editsBetween(from: string, to: string): number {
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[index] === to[column - 1]
      const isSwapped = from[index] === to[column - 2] && from[index - 1] === to[column - 1]
      next.push(
        Math.min(
          (row[column - 1] ?? 0) + (isSame ? 0 : 1),
          (row[column] ?? 0) + 1,
          (next[column - 1] ?? 0) + 1,
          isSwapped && index > 0 ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
