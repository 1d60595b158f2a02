import { basename, dirname, extname, join, resolve } from 'node:path'

/** Where the log's older files may be: the names that count in one directory. */
export interface Names {
  readonly directory: string
  readonly matches: (name: string) => boolean
}

/** How a rotated file is packed, by its extension; `unknown` if Node.js has no decoder for it. */
export type Packing = 'gzip' | 'zstd' | 'unknown'

const PACKINGS: Readonly<Record<string, Packing>> = {
  gz: 'gzip',
  zst: 'zstd',
  bz2: 'unknown',
  br: 'unknown',
  lz4: 'unknown',
  lzma: 'unknown',
  xz: 'unknown',
  Z: 'unknown',
  zip: 'unknown'
}

/** What rotation adds to a name: a number, a date or time, or `old`. */
const ADDED = '(?:\\d[\\dTZ:._+-]*|old|prev)'

/**
 * The names that rotation usually gives to older files of `path`, in its directory. For `app.log`: `app.log.1`, `app.log-20260504`,
 * `app.log.old`, `app-2026-05-04.log`, and each with the extension of a compressor. A name says that a file may have been the log, never
 * which file it is, nor its order.
 */
export function usualNames(path: string): Names {
  const base = basename(path)
  const extension = extname(base)
  const stem = base.slice(0, base.length - extension.length)
  const forms = [`${quote(base)}[-._~]?${ADDED}`, quote(base)]
  if (extension !== '') forms.push(`${quote(stem)}[-._]${ADDED}${quote(extension)}`)
  const pattern = new RegExp(`^(?:${forms.join('|')})(?:\\.(?:${Object.keys(PACKINGS).join('|')}))?$`)
  return { directory: dirname(path), matches: (name) => name !== base && pattern.test(name) }
}

/** The names that `pattern` gives: a path relative to the directory of `path`, with `*` and `?` in its last part. */
export function namesOf(pattern: string, path: string): Names {
  const absolute = resolve(dirname(path), pattern)
  const source = quote(basename(absolute)).replaceAll('\\*', '.*').replaceAll('\\?', '.')
  const matcher = new RegExp(`^${source}$`)
  return {
    directory: dirname(absolute),
    matches: (name) => join(dirname(absolute), name) !== path && matcher.test(name)
  }
}

/** How the file at `path` is packed; null if it is not. */
export function packingOf(path: string): Packing | null {
  return PACKINGS[extname(path).slice(1)] ?? null
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
