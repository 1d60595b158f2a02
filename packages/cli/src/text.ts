// Characters that move a terminal's cursor, break the line, or reverse the direction of the text.
const MOVERS = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu
const BREAKS = /[\t\n\v\f\r\u2028\u2029]+ */g
const FIRST_WIDE = 0x2e80
const MAX_QUOTED = 60

/** `text` as one line that is safe on a terminal: line breaks become a space, other control characters a `?`. */
export function oneLine(text: string): string {
  return text.trimEnd().replace(BREAKS, ' ').replace(MOVERS, '?')
}

/** `text` in quotes, shortened for a message. */
export function quote(text: string): string {
  const line = oneLine(text)
  return line.length > MAX_QUOTED ? `'${line.slice(0, MAX_QUOTED)}…'` : `'${line}'`
}

/** `text` cut to `width` columns; `…` marks the cut. Counts East Asian characters and emoji as two. */
export function truncate(text: string, width: number): string {
  let used = 0
  let fits = ''
  for (const character of text) {
    const next = used + columnsOf(character)
    if (next > width) return `${fits}…`
    // only while there is room for the … after it
    if (next < width) fits += character
    used = next
  }
  return text
}

/** `head` and as many `parts` as fit into `width` characters: one that does not fit is left out, and all after it. */
export function fitting(head: string, parts: readonly string[], width: number): string {
  let text = head
  for (const [index, part] of parts.entries()) {
    const longer = `${text}${index === 0 ? ' ' : '  '}${part}`
    if (longer.length > width) break
    text = longer
  }
  return text
}

/** The words of `text` in lines of at most `width` characters; a longer word gets a separate line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const joined = `${lines.at(-1)} ${word}`
    if (lines.length === 0 || joined.length > width) lines.push(word)
    else lines[lines.length - 1] = joined
  }
  return lines
}

/** The message of a thrown value as one line. Never empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error).trim()) || 'unknown error'
  if (error.message.trim() !== '') return oneLine(error.message.trim())
  if (!(error instanceof AggregateError)) return oneLine(error.name) || 'unknown error'
  // Node's error for a host with several addresses has no message
  const errors: readonly unknown[] = error.errors
  return errors.length === 0 ? error.name : messageOf(errors[0])
}

/** The form of a noun that goes with `count`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return count === 1 ? one : many
}

function columnsOf(character: string): number {
  return (character.codePointAt(0) ?? 0) >= FIRST_WIDE ? 2 : 1
}
