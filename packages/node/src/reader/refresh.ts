import { once } from 'node:events'
import type Hypercore from 'hypercore'
import { translate } from '../errors.ts'
import { type Wait, within } from '../waiting.ts'

/** Learns from the peers how long the cores are, the first of which is the log's; false if nobody said so in time. */
export async function refresh([bootstrap, ...cores]: readonly Hypercore[], wait: Wait): Promise<boolean> {
  // who may write needs nobody to know the end
  if (bootstrap === undefined || bootstrap.writable) return true
  const asking = new AbortController()
  try {
    return (await within(ask(bootstrap, cores, asking.signal), wait)) ?? false
  } catch (error) {
    if (wait.signal.aborted) return false
    throw translate(error)
  } finally {
    asking.abort()
  }
}

async function ask(bootstrap: Hypercore, cores: readonly Hypercore[], signal: AbortSignal): Promise<true> {
  if (bootstrap.peers.length === 0) await once(bootstrap, 'peer-add', { signal })
  // the journal last: it then names whatever the data cores were found to have
  await Promise.all(cores.map((core) => core.update({ wait: true })))
  await bootstrap.update({ wait: true })
  return true
}
