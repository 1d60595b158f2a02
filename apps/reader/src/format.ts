import { isUtf8 } from 'node:buffer'
import type { Batch, Entry } from '@many-cores/node'
import type { Paint } from './colors.ts'
import type { LogNames, Template } from './template.ts'

/** Formats delivered lines as bytes. */
export type Format = (batch: Batch) => Uint8Array

/** The writer's input, byte for byte. */
export const formatRaw: Format = (batch) => batch.bytes()

/** One JSON object per line, as in docs/reader-json.schema.json; `base64` if the bytes are not UTF-8. */
export const formatJson: Format = (batch) => join(batch, jsonOf)

/** The tutorial's format, `Block <index of the block> in Core <key>: <line>`, with a colored head. */
export function createTextFormat(paint: Paint | null): Format {
  const headOf = ({ core, index, key }: Entry): string => {
    const head = `Block ${index} in Core ${key}: `
    return paint === null ? head : paint(core, head)
  }
  return (batch) => join(batch, (entry) => `${headOf(entry)}${visible(entry.line)}\n`)
}

/** Each line in the format of `template`. */
export function createTemplateFormat(template: Template, log: LogNames): Format {
  return (batch) => join(batch, (entry) => template(entry, log), 'latin1')
}

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
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  const content = isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') }
  return `${JSON.stringify({ position, core, key, index, time, ...content })}\n`
}
