import { setTimeout as elapse } from 'node:timers/promises'
import { inspect } from 'node:util'
import goodbye from 'graceful-goodbye'
import { type StopCode, StopReason } from './errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { type EndSignal, listenForSignals, signalCode } from './signals.ts'
import type { Status } from './status.ts'
import { flush, isGone } from './stdout.ts'
import { messageOf } from './text.ts'

/** How long `main` may take to end after a signal. */
const CLOSE_MS = 2000
/** How long standard output may take to drain after a signal. */
const DRAIN_MS = 1000

/** Ends the process once. The first cause determines the exit code. */
export class Ending {
  readonly #status: Status
  readonly #controller = new AbortController()
  readonly signal: AbortSignal = this.#controller.signal
  /** Overrides the exit code of `main`. */
  #code: number | undefined
  #reported: unknown
  #deadline: NodeJS.Timeout | undefined
  #isOver = false

  constructor(status: Status) {
    this.#status = status
    // The last handler, and it never settles: graceful-goodbye would exit with its own code.
    goodbye(() => {
      this.#stop('GOODBYE')
      return new Promise(() => {})
    }, Number.MAX_SAFE_INTEGER)
    listenForSignals(
      (name) => this.#onSignal(name),
      () => this.#exit(this.#code ?? EXIT.done)
    )
    // every later write fails again, so the listener stays
    process.stdout.on('error', (error: Error) => {
      if (isGone(error)) return this.#stop('STDOUT_GONE')
      // the write that failed throws the same error
      error.message = `cannot write standard output: ${error.message}`
      this.#onUncaught(error)
    })
    process.on('uncaughtException', (error) => this.#onUncaught(error))
    process.on('unhandledRejection', (error) => this.#onUncaught(error))
    process.prependListener('beforeExit', () => this.#onIdle())
  }

  /** Runs `main`, drains standard output and ends the process. */
  async follow(main: () => Promise<number | void>): Promise<never> {
    const code = await main().then(
      (code) => (this.signal.aborted ? EXIT.done : (code ?? EXIT.done)),
      (error: unknown) => this.#onError(firstError(error))
    )
    clearTimeout(this.#deadline)
    this.#isOver = true
    this.#code ??= code
    // a slow reader of standard output gets everything, except after a signal
    await Promise.race([flush(process.stdout), ...(this.signal.aborted ? [elapse(DRAIN_MS)] : [])])
    return this.#exit(this.#code)
  }

  #onSignal(name: EndSignal): void {
    if (this.#isOver) this.#exit(signalCode(name))
    this.#stop(name, signalCode(name))
  }

  /** Asks `main` to end, once. */
  #stop(why: StopCode, code?: number): void {
    if (this.signal.aborted || this.#isOver) return
    this.#code = code
    this.#deadline = setTimeout(() => this.#onTimeout(why), CLOSE_MS)
    this.#controller.abort(new StopReason(why, `stopped: ${why}`))
  }

  #onTimeout(why: StopCode): void {
    const { current } = this.#status
    const last = current === '' ? '' : `; last status: ${current}`
    if (why !== 'STDOUT_GONE') this.#status.error(`not closed ${CLOSE_MS / 1000} s after ${why}${last}`)
    this.#exit(this.#code ?? EXIT.done)
  }

  #onUncaught(error: unknown): void {
    if (this.#isOver) this.#status.detail(messageOf(error))
    else if (!this.#isExpected(error)) this.#report(error)
    this.#stop('FAILED', EXIT.unexpected)
  }

  /** Handles what `main` threw. A failed write has been reported already, by the stream's event. */
  #onError(error: unknown): number {
    if (this.#isExpected(error)) return EXIT.done
    if (error !== this.#reported) this.#report(error)
    return exitCodeOf(error)
  }

  #isExpected(error: unknown): boolean {
    if (!this.signal.aborted) return false
    const isAbort = error instanceof Error && error.name === 'AbortError'
    return isAbort || error === this.signal.reason || isGone(error)
  }

  #report(error: unknown): void {
    this.#reported = error
    this.#status.error(messageOf(error))
    if (this.#status.level !== 'verbose') return
    for (const line of inspect(error).split('\n')) this.#status.detail(line)
  }

  /** The event loop is empty and `main` is still pending: Node would exit with 13 or 0. */
  #onIdle(): void {
    if (!this.#isOver) this.#status.error('internal error: exited early')
    this.#exit(this.#code ?? EXIT.unexpected)
  }

  #exit(code: number): never {
    this.#status.close()
    process.exit(code)
  }
}

/** `await using` wraps an error if closing fails too: the user needs the first one. */
function firstError(error: unknown): unknown {
  let first = error
  while (first instanceof Error && first.name === 'SuppressedError' && 'suppressed' in first)
    first = first.suppressed
  return first
}
