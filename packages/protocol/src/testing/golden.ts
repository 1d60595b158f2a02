// Shared by the tests: golden files, and assertions about refusals and cost.

import assert from 'node:assert/strict'
// biome-ignore lint/style/noRestrictedImports: the package is pure, its tests read files
import { readFileSync } from 'node:fs'
import b4a from 'b4a'
import type { ProtocolErrorCode } from '../errors.ts'

/** Bytes in a golden file: a text stands for its UTF-8. */
export interface Spelled {
  readonly text?: string
  readonly hex?: string
}

/** The file `fixtures/<name>.json`, as the caller's type, unchecked. */
export function readGolden<Form>(name: string): Form {
  const url = new URL(`../../fixtures/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8')) as Form
}

export function bytesOf({ text = '', hex }: Spelled): Uint8Array {
  return hex === undefined ? b4a.from(text) : b4a.from(hex, 'hex')
}

/** `what` as JSON in bytes. */
export function json(what: unknown): Uint8Array {
  return b4a.from(JSON.stringify(what))
}

/** Asserts that `action` throws ProtocolError with this code, and a message of readable length. */
export function refuses(code: ProtocolErrorCode, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'ProtocolError', error.message)
    assert.equal((error as Error & { code?: unknown }).code, code, error.message)
    assert.ok(error.message.length > 0 && error.message.length < 400, error.message)
    return true
  })
}

/** JSON of nested lists, which overflow the stack of a recursive walk. */
export function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

/** `bytes`, and a count of the reads of single bytes. */
export function countReads(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly reads: () => number } {
  let reads = 0
  const proxy = new Proxy(bytes, {
    get(target, member): unknown {
      if (typeof member === 'string' && Number(member) >= 0) reads++
      return Reflect.get(target, member, target)
    }
  })
  return { bytes: proxy, reads: () => reads }
}

/** How many Map and Set lookups `action` makes. */
export function countLookups(action: () => void): number {
  let lookups = 0
  const restore = [
    spy(Map.prototype, 'get', () => lookups++),
    spy(Map.prototype, 'has', () => lookups++),
    spy(Set.prototype, 'has', () => lookups++),
    spy(Set.prototype, 'add', () => lookups++)
  ]
  try {
    action()
    return lookups
  } finally {
    for (const undo of restore) undo()
  }
}

function spy(prototype: object, name: string, seen: () => void): () => void {
  const original = Reflect.get(prototype, name) as (...values: unknown[]) => unknown
  const replacement = function (this: unknown, ...values: unknown[]): unknown {
    seen()
    return Reflect.apply(original, this, values)
  }
  Reflect.set(prototype, name, replacement)
  return () => void Reflect.set(prototype, name, original)
}
