import type Hypercore from 'hypercore'
import { translate } from '../errors.ts'

/** How long somebody may wait. */
export interface Wait {
  /** In ms; 0 = for ever. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** Learns from the peers how long the cores are, the first of which is the log's; false if nobody said so in time. */
export async function refresh(cores: readonly Hypercore[], wait: Wait): Promise<boolean> {
  const [bootstrap] = cores
  // who may write needs nobody to know the end
  if (bootstrap === undefined || bootstrap.writable) return true
  const asked = new AbortController()
  const { promise, end } = givenUp(wait)
  const asking = ask(bootstrap, cores.slice(1), asked.signal)
  // nobody may be left to hear that a core was closed meanwhile
  asking.catch(ignore)
  try {
    return await Promise.race([promise, asking])
  } catch (error) {
    if (wait.signal.aborted) return false
    throw translate(error)
  } finally {
    asked.abort()
    end()
  }
}

async function ask(bootstrap: Hypercore, cores: readonly Hypercore[], signal: AbortSignal): Promise<boolean> {
  await untilPeer(bootstrap, signal)
  if (signal.aborted) return false
  // the journal last: it then names whatever the data cores were found to have
  await Promise.all(cores.map((core) => core.update({ wait: true })))
  await bootstrap.update({ wait: true })
  return true
}

function untilPeer(core: Hypercore, signal: AbortSignal): Promise<void> {
  if (core.peers.length > 0) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      core.off('peer-add', end)
      signal.removeEventListener('abort', end)
      resolve()
    }
    core.on('peer-add', end)
    signal.addEventListener('abort', end, { once: true })
  })
}

/** Resolves to false when the wait is over. */
function givenUp({ timeout, signal }: Wait): { promise: Promise<false>; end: () => void } {
  let resolve: (over: false) => void = ignore
  const promise = new Promise<false>((settle) => {
    resolve = settle
  })
  const over = (): void => resolve(false)
  const timer = timeout > 0 ? setTimeout(over, timeout) : undefined
  signal.addEventListener('abort', over, { once: true })
  if (signal.aborted) over()
  return {
    promise,
    end: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
    }
  }
}

function ignore(): void {}
