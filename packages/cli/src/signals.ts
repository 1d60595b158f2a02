import { constants } from 'node:os'

/** The signals that ask a program to end. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** What is done at the first signal, and at one more. */
export interface SignalHandlers {
  readonly onFirst: (name: EndSignal) => void
  readonly onSecond: () => void
}

const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** pnpm 10 on a terminal lets one Ctrl-C arrive twice: from the terminal and, at once, from pnpm. */
const REPEAT_MS = 500

/** Listens as long as the process lives: without a listener, Node would end it at once. */
export function listenForSignals({ onFirst, onSecond }: SignalHandlers): void {
  let first: { readonly name: EndSignal; readonly at: number } | undefined
  const listener = (name: EndSignal): void => {
    const now = performance.now()
    if (first === undefined) {
      first = { name, at: now }
      onFirst(name)
      return
    }
    if (name !== first.name || now - first.at >= REPEAT_MS) onSecond()
  }
  // Before graceful-goodbye's listeners, so that the cause of the end is known when its handlers run
  for (const name of SIGNALS) process.prependListener(name, () => listener(name))
}

/** The exit code that says which signal ended a program. */
export function signalCode(name: EndSignal): number {
  return 128 + constants.signals[name]
}
