import { statfs } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { RunContext } from '@many-cores/cli'

const POLL_MS = 500

/** Less additional space is not worth a retry. */
const MIN_GAIN_BYTES = 1024 * 1024

/** After this time, retry in any case. */
const RETRY_MS = 30_000

/** Reports a full disk. Resolves when there is space again, or it is time to retry. Throws when the context's signal is aborted. */
export async function waitForSpace(
  storage: string,
  { status, signal }: RunContext,
  reason: string
): Promise<void> {
  status.state(`${reason}; waiting for space`)
  const before = await freeBytes(storage)
  const began = performance.now()
  while (performance.now() - began < RETRY_MS) {
    await setTimeout(POLL_MS, undefined, { signal })
    if ((await freeBytes(storage)) >= before + MIN_GAIN_BYTES) return
  }
}

/** The free space for the store; 0 if unknown. */
export function freeBytes(storage: string): Promise<number> {
  return statfs(storage).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0
  )
}
