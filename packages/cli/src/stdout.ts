import type { Writable } from 'node:stream'

const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET'])

/** What is done about a standard output that cannot be written. */
export interface OutputHandlers {
  /** Nobody reads it any more. */
  readonly onGone: () => void
  readonly onError: (error: Error) => void
}

/** Keeps a failing write from ending the process. For good: every later write fails again. */
export function watchOutput(stream: Writable, { onGone, onError }: OutputHandlers): void {
  stream.on('error', (error) => (isGone(error) ? onGone() : onError(error)))
}

/** Whether a write failed because its reader has left. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.has(error.code)
}

/** Resolves when the system has taken `chunk`; rejects with the stream's error. To await it is to be as slow as the reader. */
export function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}

/** Resolves when everything written so far is with the system, or never will be. */
export function flush(stream: Writable): Promise<void> {
  return stream.writableLength === 0 ? Promise.resolve() : write(stream, '').catch(() => {})
}
