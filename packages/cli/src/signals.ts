import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { ignore } from './errors.ts'

/** The signals that ask a program to end. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** pnpm 10 on a terminal delivers one Ctrl-C twice: from the terminal and, at once, from pnpm. */
const REPEAT_MS = 500

/** SIGHUP means that a terminal has gone. A program without one gets it from logrotate, or under nohup, and continues. */
const hasTerminal = [0, 1, 2].some(isatty)

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
  for (const name of SIGNALS) {
    const isIgnored = name === 'SIGHUP' && !hasTerminal
    process.prependListener(name, isIgnored ? ignore : () => listener(name))
  }
}

/** The exit code of a program that a signal ended. */
export function signalCode(name: EndSignal): number {
  return 128 + constants.signals[name]
}
