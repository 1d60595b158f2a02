import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { ignore } from './errors.ts'
import type { Environment } from './option-table.ts'
import { type Progress, progressParts } from './progress.ts'
import { fitting, oneLine, truncate } from './text.ts'

/** `quiet`: errors only. `normal`: also states, progress and notes. `verbose`: everything. */
export type StatusLevel = 'quiet' | 'normal' | 'verbose'

/** Options of a `Status`. */
export interface StatusOptions {
  /** Begins every line: `writer`. */
  readonly name: string
  /** Default: standard error. */
  readonly stream?: Terminal
  /** Default: `normal`. */
  readonly level?: StatusLevel
  /** Default: false. */
  readonly shared?: boolean
  /** For `NO_COLOR`, `COLUMNS` and `TERM`. Default: the process's. */
  readonly env?: Environment
}

/** A stream that may be a terminal. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number }

const ERASE = '\r\x1b[2K'
const DEFAULT_COLUMNS = 80
/** A line that changes faster cannot be read. */
const PROGRESS_MS = 100

/**
 * The status of a program on standard error. On a terminal the state line is rewritten in place, elsewhere each state is a line.
 * Never throws, even if standard error is closed.
 */
export class Status {
  readonly name: string
  level: StatusLevel
  /** Whether data or typed input appears on the same terminal: then each state is a separate line. */
  shared: boolean
  /** The last state. */
  current = ''
  readonly #stream: Terminal
  readonly #env: Environment
  #shown = ''
  #progress: readonly string[] = []
  #progressAt = Number.NEGATIVE_INFINITY
  #isDrawn = false

  constructor({
    name,
    stream = process.stderr,
    level = 'normal',
    shared = false,
    env = process.env
  }: StatusOptions) {
    this.name = name
    this.level = level
    this.shared = shared
    this.#stream = stream
    this.#env = env
    // EPIPE, or EIO of a terminal that hung up: there is nowhere left to report it
    stream.on('error', ignore)
  }

  /** Shows what the program is doing. Repeats are ignored. */
  state(text: string): void {
    this.current = oneLine(text)
    this.#progress = []
    const isNew = this.current !== this.#shown
    if (this.level !== 'quiet') this.#shown = this.current
    if (isNew && this.level !== 'quiet' && !this.#rewrites) this.#line(this.current)
    else this.#redraw()
  }

  /** Shown after the first clause of the state, on a terminal that is not shared. */
  progress(progress: Progress): void {
    if (!this.#rewrites || this.level === 'quiet') return
    const now = performance.now()
    if (now - this.#progressAt < PROGRESS_MS && progress.done !== progress.total) return
    this.#progressAt = now
    this.#progress = progressParts(progress)
    this.#redraw()
  }

  /** Reports an event. */
  note(text: string): void {
    if (this.level !== 'quiet') this.#line(text)
  }

  /** Reports an event at level `verbose`. */
  detail(text: string): void {
    if (this.level === 'verbose') this.#line(text, 'dim')
  }

  /** Shown at every level. */
  error(text: string): void {
    this.#line(text, 'red')
  }

  /** Removes the state line. You can still report afterwards. */
  close(): void {
    if (this.#isDrawn) this.#stream.write(ERASE)
    this.#isDrawn = false
    this.current = ''
    this.#progress = []
  }

  get #isTerminal(): boolean {
    return this.#stream.isTTY === true && this.#env.TERM !== 'dumb'
  }

  get #rewrites(): boolean {
    return this.#isTerminal && !this.shared
  }

  /** Writes a permanent line above the state line. */
  #line(text: string, style?: 'red' | 'dim'): void {
    const line = `${this.name}: ${oneLine(text)}`
    this.#stream.write(
      `${this.#isDrawn ? ERASE : ''}${style === undefined ? line : this.#styled(style, line)}\n`
    )
    this.#isDrawn = false
    this.#redraw()
  }

  #redraw(): void {
    const isShown = this.#rewrites && this.level !== 'quiet' && this.current !== ''
    if (!isShown && !this.#isDrawn) return
    this.#stream.write(isShown ? ERASE + this.#styled('dim', this.#stateLine) : ERASE)
    this.#isDrawn = isShown
  }

  get #stateLine(): string {
    const columns = this.#stream.columns || Number(this.#env.COLUMNS) || DEFAULT_COLUMNS
    // one column stays free: a full line would wrap, and ERASE clears only its last row
    const width = columns - 1
    const line = `${this.name}: ${this.current}`
    if (this.#progress.length === 0) return truncate(line, width)
    const [head = '', ...clauses] = line.split('; ')
    return truncate(fitting(`${head}:`, [...this.#progress, ...clauses], width), width)
  }

  #styled(style: 'red' | 'dim', text: string): string {
    if (!this.#isTerminal || this.#env.NO_COLOR) return text
    // by default, styleText checks whether standard *output* supports colors
    return styleText(style, text, { validateStream: false })
  }
}
