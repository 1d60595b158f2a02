import type { Environment } from '@many-cores/cli'

/** Foreground colors that are legible on black and on white; the most distinct ones first. */
const CODES = [36, 33, 35, 32, 34, 31, 96, 93, 95, 92, 94, 91]

/** Colors a text by its core. */
export type Paint = (core: string, text: string) => string

/** Whether to color standard output: FORCE_COLOR overrides NO_COLOR, as in Node; both override the terminal. */
export function hasColors(isTerminal: boolean, { FORCE_COLOR, NO_COLOR = '', TERM }: Environment): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return isTerminal && NO_COLOR === '' && TERM !== 'dumb'
}

/** One color per core, in the order of `names`; they repeat after twelve. */
export function createPaint(names: readonly string[]): Paint {
  const codes = new Map(names.map((name, index) => [name, CODES[index % CODES.length] ?? 0]))
  return (core, text) => `\x1b[${codes.get(core) ?? 0}m${text}\x1b[39m`
}
