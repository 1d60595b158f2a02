import type { Writable } from 'node:stream'
import { codeOf, ignore } from './errors.ts'

const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET'])

/** Whether a write failed because the reader has closed its end. */
export function isGone(error: unknown): boolean {
  return GONE.has(codeOf(error))
}

/** Resolves when the system has accepted `chunk`; rejects with the stream's error. Awaiting it applies backpressure. */
export function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}

/** Resolves when the system has accepted everything that was written, or a write has failed. */
export function flush(stream: Writable): Promise<void> {
  return stream.writableLength === 0 ? Promise.resolve() : write(stream, '').catch(ignore)
}
