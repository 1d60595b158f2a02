/** An index has few digits. More digits are a date or a time, which grows. */
const INDEX = /^\.(\d{1,5})$/

/** The names that rotated files of `base` can have: `base.1`, `base-20240101`, … */
export function rotatedNames(base: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`${base}.`) || name.startsWith(`${base}-`))
}

/** The files that were started after `name`, oldest first. After `app.log.2`: `app.log.1` and `app.log`. */
export function laterNames(base: string, names: readonly string[], name: string): string[] {
  if (name === base) return []
  const kind = kindOf(base, name)
  const between = rotatedNames(base, names)
    .filter((other) => kindOf(base, other) === kind && compareAge(base, other, name) > 0)
    .sort((a, b) => compareAge(base, a, b))
  return [...between, ...names.filter((other) => other === base)]
}

/** Whether no file can have been started between `name` and `next`. */
export function isNextName(base: string, name: string, next: string): boolean {
  const [, index] = INDEX.exec(name.slice(base.length)) ?? []
  // dated files keep their names
  if (index === undefined) return true
  return next === (index === '1' ? base : `${base}.${Number(index) - 1}`)
}

function kindOf(base: string, name: string): string {
  const suffix = name.slice(base.length)
  return INDEX.test(suffix) ? 'index' : suffix.replaceAll(/\d/g, '0')
}

/** Positive if `a` was started after `b`. */
function compareAge(base: string, a: string, b: string): number {
  const [, first] = INDEX.exec(a.slice(base.length)) ?? []
  const [, second] = INDEX.exec(b.slice(base.length)) ?? []
  if (first !== undefined && second !== undefined) return Number(second) - Number(first)
  return a < b ? -1 : Number(a > b)
}
