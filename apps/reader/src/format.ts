import { isUtf8 } from 'node:buffer'
import { truncate } from '@many-cores/cli'
import type { Batch, Entry } from '@many-cores/node'
import type { Paint } from './colors.ts'
import type { LogNames, Template } from './template.ts'

/** Formats delivered lines as bytes. */
export type Format = (batch: Batch) => Uint8Array

/** The writer's input, byte for byte. */
export const formatRaw: Format = (batch) => batch.bytes()

/** One JSON object per line, as in docs/reader-json.schema.json: the line without its newline; `base64` if it is not UTF-8. */
export const formatJson: Format = (batch) => join(batch, jsonOf)

/** The tutorial's format: `Block <index of the block> in Core <key>: <line>`. */
export const formatTutorial: Format = (batch) =>
  join(batch, ({ index, key, line }) => `Block ${index} in Core ${key}: ${visible(line)}\n`)

const MIN_POSITION_WIDTH = 6
const MAX_NAME_WIDTH = 16

/**
 * Columns for a person: position (in a tutorial log, that of the block in its core), name of the core, text. `names` are those that
 * can occur. All texts begin in one column, unless a log has more than a million lines or a name is very long.
 */
export function createTextFormat(names: readonly string[], paint: Paint | null): Format {
  const width = Math.min(MAX_NAME_WIDTH, Math.max(...names.map((name) => name.length)))
  const labels = new Map(
    names.map((name) => {
      const label = truncate(name, width).padEnd(width)
      return [name, paint === null ? label : paint(name, label)]
    })
  )
  return (batch) =>
    join(batch, ({ position, index, core, line }) => {
      const number = String(position ?? index).padStart(MIN_POSITION_WIDTH)
      return `${number}  ${labels.get(core)}  ${visible(line)}\n`
    })
}

/** Each line in the format of `template`. */
export function createTemplateFormat(template: Template, log: LogNames): Format {
  return (batch) => join(batch, (entry) => template(entry, log), 'latin1')
}

const NEWLINE = 0x0a

/** Control characters except tab: a line must not move the cursor or look like several lines. */
const CONTROL = /(?!\t)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

function join(batch: Batch, toText: (entry: Entry) => string, encoding?: 'latin1'): Uint8Array {
  let text = ''
  for (const entry of batch) text += toText(entry)
  return Buffer.from(text, encoding)
}

/** The line without its terminator, with control characters escaped as `\x1b` or `\u2028`. */
function visible(line: Uint8Array): string {
  return Buffer.from(line.buffer, line.byteOffset, line.byteLength)
    .toString()
    .replace(/\r?\n$/, '')
    .replace(CONTROL, escapeControl)
}

function escapeControl(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
}

function jsonOf({ position, core, key, index, time, line }: Entry): string {
  const hasNewline = line.at(-1) === NEWLINE
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength - (hasNewline ? 1 : 0))
  return `${JSON.stringify({
    position,
    core,
    key,
    index,
    time,
    // null in JSON if a writer claims a time that no date can express
    timestamp: time === null ? null : new Date(time),
    ...(isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') }),
    ...(!hasNewline && { newline: false })
  })}\n`
}
