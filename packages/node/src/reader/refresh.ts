import { once } from 'node:events'
import type Hypercore from 'hypercore'
import { translate } from '../errors.ts'
import { type Wait, withTimeout } from '../waiting.ts'

/** Updates the lengths of these cores of a log from peers. Returns false if no peer answered in time. */
export async function refresh(
  bootstrap: Hypercore,
  cores: readonly Hypercore[],
  wait: Wait
): Promise<boolean> {
  // the writer itself knows the end
  if (bootstrap.writable) return true
  const updating = new AbortController()
  try {
    return (await withTimeout(update(bootstrap, cores, updating.signal), wait)) ?? false
  } catch (error) {
    if (wait.signal.aborted) return false
    throw translate(error)
  } finally {
    updating.abort()
  }
}

async function update(bootstrap: Hypercore, cores: readonly Hypercore[], signal: AbortSignal): Promise<true> {
  if (bootstrap.peers.length === 0) await once(bootstrap, 'peer-add', { signal })
  // the journal last, so that it names all blocks of the data cores
  await Promise.all(cores.map((core) => core.update({ wait: true })))
  await bootstrap.update({ wait: true })
  return true
}
