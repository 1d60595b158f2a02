import { rename, statfs } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { RunContext } from '@many-cores/cli'

/** How often it is looked whether there is space again … */
const LOOK_MS = 500

/** … which so much more than before is, … */
const MORE_BYTES = 1024 * 1024

/** … and after so long it is tried in any case. */
const RETRY_MS = 30_000

/** Says that the disk is full, and resolves when there is space again, or it is worth a try. Throws at the context's signal. */
export async function untilSpace(
  { storage, reason }: { readonly storage: string; readonly reason: string },
  { status, signal }: RunContext
): Promise<void> {
  status.state(`${reason}: waiting for space, and going on by itself when there is some`)
  const before = await freeBytes(storage)
  const began = performance.now()
  while (performance.now() - began < RETRY_MS) {
    await setTimeout(LOOK_MS, undefined, { signal })
    if ((await freeBytes(storage)) >= before + MORE_BYTES) return
  }
}

/** Takes a damaged store out of the way, and says so; false where it cannot be moved. */
export async function moveAside(storage: string, { status }: RunContext, reason: string): Promise<boolean> {
  const aside = `${storage}.damaged-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  try {
    await rename(storage, aside)
  } catch {
    return false
  }
  status.note(`${reason}; it is kept as ${aside}, and made anew from peers`)
  return true
}

/** How much space is left for the store; 0 where that cannot be told. */
export async function freeBytes(storage: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(storage)
    return bavail * bsize
  } catch {
    return 0
  }
}
