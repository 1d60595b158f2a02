import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'

/** A process that can be started. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface ProgramOptions {
  /** A file descriptor for its standard input. Default: a stream, see `Program.stdin`. */
  readonly input?: number | 'ignore'
}

/** No measurement takes this long. */
const DEADLINE_MS = 300_000
const MEMORY_INTERVAL_MS = 50
/** How much of the end of standard error is kept, for the report of a failure. */
const WORDS_KEPT = 4000
/** USER_HZ: a constant in /proc on Linux. */
const TICKS_PER_SECOND = 100

/** A running process: its output, its resources, and its end. */
export class Program {
  /** When it was started, on the clock of `performance`. */
  readonly began: number = performance.now()
  /** Resolves to its exit code, 128 and more for a signal. */
  readonly exited: Promise<number>
  /** Bytes that have come from its standard output. */
  printed = 0
  #goals: { readonly bytes: number; readonly resolve: (milliseconds: number) => void }[] = []
  readonly #child: ChildProcess
  readonly #sampler: NodeJS.Timeout
  /** Rejects when it has ended and its output is complete. */
  readonly #over: Promise<never>
  #words = ''
  #peak = 0

  constructor({ file, args, env = {} }: Command, { input }: ProgramOptions = {}) {
    this.#child = spawn(file, args, {
      env: { ...inherited(), ...env },
      stdio: [input ?? 'pipe', 'pipe', 'pipe']
    })
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('exit', (code, signal) => {
        clearInterval(this.#sampler)
        resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL'])
      })
    })
    this.#over = new Promise((_resolve, reject) => {
      this.#child.once('close', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)))
    })
    this.exited.catch(ignore)
    this.#over.catch(ignore)
    this.#stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-WORDS_KEPT)
    })
    this.stdout.on('data', (chunk: Uint8Array) => {
      this.printed += chunk.byteLength
      const now = performance.now() - this.began
      for (const { bytes, resolve } of this.#goals) if (this.printed >= bytes) resolve(now)
      this.#goals = this.#goals.filter(({ bytes }) => this.printed < bytes)
    })
    this.#child.stdin?.on('error', ignore)
    this.#sampler = setInterval(() => this.#sample(), MEMORY_INTERVAL_MS)
  }

  get stdin(): Writable {
    return present(this.#child.stdin)
  }

  get stdout(): Readable {
    return present(this.#child.stdout)
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Its peak resident memory, in MB; NaN without /proc. */
  get peakMemory(): number {
    this.#sample()
    return this.#peak > 0 ? this.#peak : Number.NaN
  }

  /** Its processor time until now, in seconds; NaN without /proc. */
  get cpuSeconds(): number {
    // the name in brackets may have blanks; user and system time are fields 14 and 15 of the whole
    const fields = this.#proc('stat').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11] ?? Number.NaN) + Number(fields[12])) / TICKS_PER_SECOND
  }

  /** The first match of `pattern` on standard output. */
  match(pattern: RegExp): Promise<string> {
    return this.#found(this.stdout, pattern)
  }

  /** The first match of `pattern` on standard error. */
  said(pattern: RegExp): Promise<string> {
    return this.#found(this.#stderr, pattern, this.#words)
  }

  /** Resolves when it has printed `bytes`, to the time from its start in ms. */
  async print(bytes: number): Promise<number> {
    const reached = new Promise<number>((resolve) => {
      if (this.printed < bytes) this.#goals.push({ bytes, resolve })
      else resolve(performance.now() - this.began)
    })
    return await this.#deadline(`${bytes} bytes of output`, Promise.race([reached, this.#over]))
  }

  /** Waits for it to end by itself, well. */
  async done(): Promise<void> {
    const code = await this.#deadline('its end', this.exited)
    if (code !== 0) throw this.#fault(`it ended with ${code}`)
  }

  /** Asks it to end, well, if it has not done so by itself; resolves to how long that took, in ms. */
  async stop(): Promise<number> {
    const began = performance.now()
    if (this.running) this.#child.kill('SIGTERM')
    const code = await this.#deadline('its end', this.exited)
    const took = performance.now() - began
    if (code !== 0 && code !== 128 + constants.signals.SIGTERM) throw this.#fault(`it ended with ${code}`)
    return took
  }

  /** Kills it. */
  kill(): void {
    if (this.running) this.#child.kill('SIGKILL')
  }

  get #stderr(): Readable {
    return present(this.#child.stderr)
  }

  async #found(stream: Readable, pattern: RegExp, before = ''): Promise<string> {
    let text = before
    let listener: (chunk: string | Uint8Array) => void = ignore
    const found = new Promise<string>((resolve) => {
      listener = (chunk) => {
        text += chunk.toString()
        const match = pattern.exec(text)
        if (match !== null) resolve(match[1] ?? match[0])
      }
    })
    stream.on('data', listener)
    listener('')
    try {
      return await this.#deadline(String(pattern), Promise.race([found, this.#over]))
    } finally {
      stream.off('data', listener)
    }
  }

  async #deadline<T>(what: string, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`)), DEADLINE_MS)
    })
    try {
      return await Promise.race([work, late])
    } catch (error) {
      throw this.#fault(error instanceof Error ? error.message : String(error))
    } finally {
      clearTimeout(timer)
    }
  }

  #fault(what: string): Error {
    return new Error(`${this.#child.spawnargs.join(' ')}: ${what}\n${this.#words}`)
  }

  // VmHWM is the peak. It is gone with the process, so it is read while that runs.
  #sample(): void {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(this.#proc('status'))?.[1]
    if (kilobytes !== undefined) this.#peak = (Number(kilobytes) * 1024) / 1e6
  }

  #proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8')
    } catch {
      // it has ended, or this is not Linux
      return ''
    }
  }
}

/** The environment without variables that change the programs. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MANY_CORES_')))
}

function present<T>(stream: T | null): T {
  if (stream === null) throw new Error('the program was started without this stream')
  return stream
}

function ignore(): void {}
