import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { codeOf, ignore } from '@many-cores/cli'

const STDOUT = '/proc/self/fd/1'
const POLL_MS = 1000

/**
 * Whether standard output is a pipe whose reader has gone. A write would fail, but there may be nothing to write. Linux tells
 * by refusing to open the pipe again; elsewhere, the result is false.
 */
export async function isPipeClosed(): Promise<boolean> {
  try {
    if (!(await stat(STDOUT)).isFIFO()) return false
    const handle = await open(STDOUT, constants.O_WRONLY | constants.O_NONBLOCK)
    await handle.close()
    return false
  } catch (error) {
    return codeOf(error) === 'ENXIO'
  }
}

/** Aborts `signal` when the reader of standard output has gone, until `stop` is called. */
export function watchPipe(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController()
  const check = async (): Promise<void> => {
    if (await isPipeClosed()) controller.abort()
  }
  const timer = setInterval(() => void check().catch(ignore), POLL_MS)
  return { signal: controller.signal, stop: () => clearInterval(timer) }
}
