import type { Entry } from '@many-cores/node'

/** Formats a line as a latin1 string: one character per byte. */
export type Template = (entry: Entry, log: LogNames) => string

/** What a template can use besides the entry. */
export interface LogNames {
  readonly key: string
  /** The index in the manifest of each core, by name. */
  readonly indexes: ReadonlyMap<string, number>
}

type Part = string | Template

// kcat's letters: a core is its partition, a core's name its key, the log its topic
const TOKENS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ['s', ({ line }) => content(line).toString('latin1')],
  ['S', ({ line }) => String(content(line).byteLength)],
  ['o', ({ position }) => String(position ?? -1)],
  ['p', ({ core }, { indexes }) => String(indexes.get(core) ?? -1)],
  ['k', ({ core }) => core],
  ['K', ({ core }) => String(core.length)],
  ['b', ({ index }) => String(index)],
  ['T', ({ time }) => String(time ?? -1)],
  ['t', (_entry, { key }) => key],
  ['%', '%']
])

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['0', '\0'],
  ['\\', '\\']
])

const ESCAPE_OR_TOKEN = /\\x([0-9a-fA-F]{2})|([\\%])(.?)/gsu

/** Parses the value of `--format`. */
export function parseTemplate(text: string): Template {
  const parts: Part[] = []
  let from = 0
  for (const match of text.matchAll(ESCAPE_OR_TOKEN)) {
    const [whole, hex, kind = '', letter = ''] = match
    parts.push(bytesOf(text.slice(from, match.index)))
    if (hex === undefined) parts.push(partOf(kind, letter))
    else parts.push(String.fromCharCode(Number.parseInt(hex, 16)))
    from = match.index + whole.length
  }
  parts.push(bytesOf(text.slice(from)))
  const kept = parts.filter((part) => part !== '')
  return (entry, log) => {
    let line = ''
    for (const part of kept) line += typeof part === 'string' ? part : part(entry, log)
    return line
  }
}

const EXPECTED = [
  ...[...TOKENS.keys()].map((key) => `%${key}`),
  ...[...ESCAPES.keys()].map((key) => `\\${key}`)
]

function partOf(kind: string, letter: string): Part {
  const part = (kind === '%' ? TOKENS : ESCAPES).get(letter)
  if (part !== undefined) return part
  throw new Error(`invalid '${kind}${letter}': expected one of ${EXPECTED.join(' ')} \\xNN`)
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

const NEWLINE = 0x0a

/** The line without its terminator: the format includes its own. */
function content(line: Uint8Array): Buffer {
  const length = line.byteLength - (line[line.byteLength - 1] === NEWLINE ? 1 : 0)
  return Buffer.from(line.buffer, line.byteOffset, length)
}
