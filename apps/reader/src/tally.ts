import { codeOf, formatTransfer, type RunContext } from '@many-cores/cli'
import type { Format } from './format.ts'

/** Counts the delivered lines. */
export class Tally {
  #began: number | null = null
  #ended = 0
  #lines = 0
  #bytes = 0

  /** `format`, which is called once for each slice that is delivered, and counts it. */
  counting(format: Format): Format {
    this.#ended = performance.now()
    this.#began ??= this.#ended
    return (batch) => {
      this.#lines += batch.count
      this.#bytes += batch.byteLength
      this.#ended = performance.now()
      return format(batch)
    }
  }

  /** Reports the lines, their bytes and the time until the last one; nothing if the log was not found, or to `| head`. */
  report({ signal, status }: RunContext): void {
    if (this.#began === null || codeOf(signal.reason) === 'STDOUT_GONE') return
    const elapsed = this.#ended - this.#began
    status.note(this.#lines === 0 ? 'no lines' : formatTransfer(this.#lines, 'line', this.#bytes, elapsed))
  }
}
