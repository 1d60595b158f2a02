import { constants } from 'node:os'

/** The signals that ask a program to end. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** pnpm 10 on a terminal delivers one Ctrl-C twice: from the terminal and, at once, from pnpm. */
const REPEAT_MS = 500

/** Handles signals until the process exits: without a listener, Node would end it at once. */
export function listenForSignals(onFirst: (name: EndSignal) => void, onSecond: () => void): void {
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
  // before graceful-goodbye's listeners: its handlers must see the cause
  for (const name of SIGNALS) process.prependListener(name, () => listener(name))
}

/** The exit code of a program that a signal ended. */
export function signalCode(name: EndSignal): number {
  return 128 + constants.signals[name]
}
