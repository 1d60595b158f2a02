import { createHash } from 'node:crypto'
import { plural, UsageError } from '@many-cores/cli'

/** The names of the cores that `--only` and `--except` select; undefined for all. Throws UsageError for a pattern without a match. */
export function selectCores(
  names: readonly string[],
  { only, except }: { readonly only: readonly string[]; readonly except: readonly string[] }
): readonly string[] | undefined {
  if (only.length === 0 && except.length === 0) return undefined
  const wanted = new Set(only.length === 0 ? names : matching(names, only, '--only'))
  const unwanted = new Set(matching(names, except, '--except'))
  const selected = names.filter((name) => wanted.has(name) && !unwanted.has(name))
  if (selected.length === 0) throw new UsageError('--only and --except leave no core to read')
  return selected
}

/** A selection in words, which a cursor keeps: two selections are the same if their words are. */
export function describeCores(names: readonly string[], selected: readonly string[] = names): string {
  if (selected.length === names.length) return 'all cores'
  const list = selected.join(', ')
  if (list.length <= MAX_LIST) return `${plural(selected.length, 'core')} ${list}`
  const digest = createHash('sha256').update(list).digest('hex').slice(0, 16)
  return `${selected.length} cores (${digest})`
}

function matching(names: readonly string[], patterns: readonly string[], flag: string): string[] {
  const found = patterns.flatMap((pattern) => {
    const matcher = glob(pattern)
    const matches = names.filter((name) => matcher.test(name))
    if (matches.length === 0) throw new UsageError(`${flag} ${pattern}: ${noSuchCore(names)}`)
    return matches
  })
  return [...new Set(found)]
}

/** The longest list of cores in a cursor, which is committed often. */
const MAX_LIST = 200

/** A log can have 16,384 cores. */
const NAMED_CORES = 8

function noSuchCore(names: readonly string[]): string {
  const some = names.slice(0, NAMED_CORES).join(', ')
  return `the log has no such core; it has ${some}${names.length > NAMED_CORES ? ', …' : ''}`
}

/** `*` matches any text, `?` one character. A run of `*` becomes one, which keeps matching fast. */
function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'i')
}
