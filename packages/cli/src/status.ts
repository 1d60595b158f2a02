import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import type { Environment } from './option-table.ts'
import { formatProgress, type Progress } from './progress.ts'
import { oneLine, truncate } from './text.ts'

/** `quiet`: errors alone. `normal`: states, progress and notes, too. `verbose`: everything. */
export type StatusLevel = 'quiet' | 'normal' | 'verbose'

/** How to say it. */
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

/** A status that speaks on `stream`: on a terminal the state line is rewritten in place, elsewhere each state is a line. */
export function createStatus(options: StatusOptions): Status {
  return new Status(options)
}

const ERASE = '\r\x1b[2K'
const DEFAULT_COLUMNS = 80
/** A line that is rewritten more often cannot be read anyway. */
const PROGRESS_MS = 100

/** What a program says on standard error. Never throws, also when nobody reads it. */
export class Status {
  /** The program's. */
  readonly name: string
  level: StatusLevel
  /** Whether others write to the same terminal (data, or the echo of what is typed): states are then lines of their own. */
  shared: boolean
  /** The last state. */
  current = ''
  readonly #stream: Terminal
  readonly #env: Environment
  #said = ''
  #progress = ''
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
    // Nobody is left to be told: EPIPE, or EIO of a terminal that hung up
    stream.on('error', () => {})
  }

  /** What the program does now. Said once, until it changes. */
  state(text: string): void {
    this.current = oneLine(text)
    this.#progress = ''
    const isNews = this.current !== this.#said
    if (this.level !== 'quiet') this.#said = this.current
    if (isNews && this.level !== 'quiet' && !this.#rewrites) this.#line(this.current)
    else this.#redraw()
  }

  /** Beside the state, on a terminal of its own. */
  progress(progress: Progress): void {
    if (!this.#rewrites || this.level === 'quiet') return
    const now = performance.now()
    if (now - this.#progressAt < PROGRESS_MS && progress.done !== progress.total) return
    this.#progressAt = now
    this.#progress = formatProgress(progress)
    this.#redraw()
  }

  /** Something that has happened. */
  note(text: string): void {
    if (this.level !== 'quiet') this.#line(text)
  }

  /** Something that has happened, for those who want to know all. */
  detail(text: string): void {
    if (this.level === 'verbose') this.#line(text, 'dim')
  }

  /** Said at every level. */
  error(text: string): void {
    this.#line(text, 'red')
  }

  /** Removes the state line. Saying more afterwards is allowed. */
  close(): void {
    if (this.#isDrawn) this.#write(ERASE)
    this.#isDrawn = false
    this.current = ''
    this.#progress = ''
  }

  get #isTerminal(): boolean {
    return this.#stream.isTTY === true && this.#env.TERM !== 'dumb'
  }

  get #rewrites(): boolean {
    return this.#isTerminal && !this.shared
  }

  /** One line for good, above the state line. */
  #line(text: string, style?: 'red' | 'dim'): void {
    const line = `${this.name}: ${oneLine(text)}`
    this.#write(`${this.#isDrawn ? ERASE : ''}${style === undefined ? line : this.#styled(style, line)}\n`)
    this.#isDrawn = false
    this.#redraw()
  }

  #redraw(): void {
    const isShown = this.#rewrites && this.level !== 'quiet' && this.current !== ''
    if (!isShown && !this.#isDrawn) return
    const text = `${this.name}: ${this.current}${this.#progress === '' ? '' : `: ${this.#progress}`}`
    // One column stays free: a full line would wrap, and only its last part be erased
    this.#write(isShown ? ERASE + this.#styled('dim', truncate(text, this.#columns - 1)) : ERASE)
    this.#isDrawn = isShown
  }

  get #columns(): number {
    return this.#stream.columns || Number(this.#env.COLUMNS) || DEFAULT_COLUMNS
  }

  #styled(style: 'red' | 'dim', text: string): string {
    if (!this.#isTerminal || this.#env.NO_COLOR) return text
    // Without validateStream: false it asks whether standard *output* has colours
    return styleText(style, text, { validateStream: false })
  }

  #write(text: string): void {
    this.#stream.write(text)
  }
}
