import { setTimeout as elapse } from 'node:timers/promises'
import { inspect } from 'node:util'
import goodbye from 'graceful-goodbye'
import { type StopCode, StopReason, UsageError } from './errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { type EndSignal, listenForSignals, signalCode } from './signals.ts'
import type { Status } from './status.ts'
import { flush, isGone, watchOutput } from './stdout.ts'
import { messageOf } from './text.ts'

/** From a signal to the end of `main`. */
const CLOSE_MS = 2000
/** For standard output to be taken, after a signal. */
const LEAVE_MS = 1000

/** The end of the process, whoever wants it: first come, first served. */
export class Ending {
  readonly #status: Status
  readonly #controller = new AbortController()
  /** What it is, whatever `main` returns. */
  #code: number | undefined
  #reported: unknown
  #deadline: NodeJS.Timeout | undefined
  #isOver = false

  constructor(status: Status) {
    this.#status = status
    // Another part of the process ends it. The last handler: it never settles, or graceful-goodbye would exit with a code of its own.
    goodbye(() => {
      this.#stop('GOODBYE')
      return new Promise(() => {})
    }, Number.MAX_SAFE_INTEGER)
    listenForSignals({
      onFirst: (name) => this.#takeSignal(name),
      onSecond: () => this.#exit(this.#code ?? EXIT.done)
    })
    watchOutput(process.stdout, {
      onGone: () => this.#stop('STDOUT_GONE'),
      onError: (error) => {
        // the same error is thrown where it was written
        error.message = `standard output cannot be written: ${error.message}`
        this.#fail(error)
      }
    })
    process.on('uncaughtException', (error) => this.#fail(error))
    process.on('unhandledRejection', (error) => this.#fail(error))
    process.prependListener('beforeExit', () => this.#takeStandstill())
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Runs `main` to its end, then ends the process once standard output is taken. */
  async follow(main: () => Promise<number | void>): Promise<never> {
    const code = await main().then(
      (code) => (this.signal.aborted ? EXIT.done : (code ?? EXIT.done)),
      (error: unknown) => this.#judge(firstError(error))
    )
    clearTimeout(this.#deadline)
    this.#isOver = true
    this.#code ??= code
    // Whoever reads slowly shall have everything, unless we were told to end
    await Promise.race([flush(process.stdout), ...(this.signal.aborted ? [elapse(LEAVE_MS)] : [])])
    return this.#exit(this.#code)
  }

  #takeSignal(name: EndSignal): void {
    if (this.#isOver) this.#exit(signalCode(name))
    this.#stop(name, signalCode(name))
  }

  /** Asks `main` to end, once. */
  #stop(why: StopCode, code?: number): void {
    if (this.signal.aborted || this.#isOver) return
    this.#code = code
    this.#deadline = setTimeout(() => this.#giveUp(why), CLOSE_MS)
    this.#controller.abort(new StopReason(why, `asked to end: ${why}`))
  }

  #giveUp(why: StopCode): void {
    const { current } = this.#status
    const last = current === '' ? '' : `; the last it said: ${current}`
    if (why !== 'STDOUT_GONE') this.#status.error(`not closed ${CLOSE_MS / 1000} s after ${why}${last}`)
    this.#exit(this.#code ?? EXIT.done)
  }

  /** An error that nobody caught. What comes after the end of `main` is no longer of interest. */
  #fail(error: unknown): void {
    if (this.#isOver) {
      this.#status.detail(messageOf(error))
      return
    }
    if (!this.#isExpected(error)) this.#report(error)
    this.#stop('FAILED', EXIT.unexpected)
  }

  /** What `main` threw. Where it is a failed write, the stream's event was first, and has told why. */
  #judge(error: unknown): number {
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
    if (error instanceof UsageError) this.#status.error(`try: ${this.#status.name} --help`)
    for (const line of this.#status.level === 'verbose' ? inspect(error).split('\n') : []) {
      this.#status.detail(line)
    }
  }

  /** Nothing is left that could wake anybody: Node would exit with 13, or with 0. */
  #takeStandstill(): void {
    if (!this.#isOver) this.#status.error('ended half-way: nothing was left that could go on')
    this.#exit(this.#code ?? EXIT.unexpected)
  }

  #exit(code: number): never {
    this.#status.close()
    process.exit(code)
  }
}

/** `await using` wraps what went wrong first, if closing goes wrong because of it: the first is what the user must hear of. */
function firstError(error: unknown): unknown {
  let first = error
  while (first instanceof Error && first.name === 'SuppressedError' && 'suppressed' in first)
    first = first.suppressed
  return first
}
