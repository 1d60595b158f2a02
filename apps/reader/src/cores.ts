import { UsageError } from '@many-cores/cli'

/** Which cores `--only` and `--except` leave, by name; undefined for all. Throws UsageError for a pattern without a core. */
export function selectCores(
  names: readonly string[],
  { only, except }: { readonly only: readonly string[]; readonly except: readonly string[] }
): readonly string[] | undefined {
  if (only.length === 0 && except.length === 0) return undefined
  const wanted = only.length === 0 ? new Set(names) : matching(names, only, '--only')
  const unwanted = matching(names, except, '--except')
  const left = [...wanted].filter((name) => !unwanted.has(name))
  if (left.length === 0) throw new UsageError('--only and --except leave no core')
  return left
}

function matching(names: readonly string[], patterns: readonly string[], flag: string): Set<string> {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const matcher = glob(pattern)
    const matches = names.filter((name) => matcher.test(name))
    if (matches.length === 0) throw new UsageError(`${flag} ${pattern}: ${noSuchCore(names)}`)
    for (const name of matches) found.add(name)
  }
  return found
}

/** A log may have 16,384 cores. */
const NAMED_CORES = 8

function noSuchCore(names: readonly string[]): string {
  const some = names.slice(0, NAMED_CORES).join(', ')
  return `the log has no such core; it has ${some}${names.length > NAMED_CORES ? ', …' : ''}`
}

/** `*` stands for any text, `?` for one character; a run of `*` is one, which keeps the matching fast. */
function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`)
}
