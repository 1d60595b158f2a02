import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import { Readable, type Writable } from 'node:stream'
import { DEADLINE_MS, deadline } from '@many-cores/testing'
import { Output } from './output.ts'

/** How a program is started. */
export interface ProgramOptions {
  /** Its name in messages. */
  readonly name: string
  /** The built file. */
  readonly main: string
  readonly args: readonly string[]
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** The network namespace that it runs in, without a route to the internet. Default: this process's. */
  readonly namespace?: string
  /** Standard streams that are closed when it starts, as by a shell's `<&-`. Default: none. */
  readonly closed?: readonly Stream[]
  /** The user that it runs as. Default: this process's. */
  readonly uid?: number
  /** A descriptor, which the caller closes. Default: a pipe for `write` and `end`. */
  readonly stdin?: number
  /** A descriptor, which the caller closes. Default: a pipe to `Program.stdout`. */
  readonly stdout?: number
}

/** A standard stream, written as a shell closes it. */
export type Stream = '<&-' | '>&-' | '2>&-'

const require = createRequire(import.meta.url)

/** The unit of CPU times in /proc, on every Linux that Node supports. */
const CLOCK_TICK_MS = 10

/** The path of the built program of an app. */
export function builtFile(app: 'writer' | 'reader'): string {
  return require.resolve(`${app}/dist/main.js`)
}

/** A running program, seen only through its standard streams, signals and exit code. */
export class Program {
  readonly name: string
  readonly stdout: Output
  readonly stderr: Output
  readonly #child: ChildProcess
  readonly #closed: Promise<number | string>
  #signalledAt = 0

  /** Starts the program. Throws instead if it could reach a public network. */
  constructor({ name, main, args, env, namespace, uid, closed = [], stdin, stdout }: ProgramOptions) {
    if (namespace === undefined) refusePublicNetwork(args)
    this.name = name
    // `ip netns exec` turns into the program: signals and the exit code are the program's
    const within = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
    if (closed.length > 0) within.push('sh', '-c', `exec "$@" ${closed.join(' ')}`, 'sh')
    const [command = '', ...rest] = [...within, process.execPath, main, ...args]
    this.#child = spawn(command, rest, {
      env,
      ...(uid !== undefined && { uid, gid: uid }),
      stdio: [stdin ?? 'pipe', stdout ?? 'pipe', 'pipe']
    })
    this.stdout = new Output(`${name}'s stdout`, this.#child.stdout ?? Readable.from([]))
    this.stderr = new Output(`${name}'s stderr`, this.#child.stderr ?? Readable.from([]))
    // a program may end before it has read its input
    this.#child.stdin?.on('error', ignore)
    this.#closed = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'))
    })
    this.#closed.catch(ignore)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Its peak memory in bytes, from VmHWM of Linux. 0 on other systems, and after it has ended. */
  async peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8').catch(() => '')
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  }

  /** Its CPU time in ms (Linux). */
  async cpuTime(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8')
    // the fields after the name, which may contain spaces
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS
  }

  /** Its arguments, as every user of the machine can see them (Linux). */
  async commandLine(): Promise<string[]> {
    return (await readFile(`/proc/${this.#child.pid}/cmdline`, 'utf8')).split('\0')
  }

  /** Writes `data` to its standard input. Resolves when the system has accepted all of it. */
  async write(data: string | Uint8Array): Promise<void> {
    const stdin = this.#stdin
    await new Promise<void>((resolve, reject) => {
      stdin.write(data, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Writes `data`, and closes its standard input. */
  end(data: string | Uint8Array = ''): void {
    this.#stdin.end(data)
  }

  /** Sends the signal `name` to the process. */
  signal(name: NodeJS.Signals): void {
    this.#signalledAt = performance.now()
    this.#child.kill(name)
  }

  /**
   * Resolves when it has ended with `expected`, an exit code or the signal that killed it, to the ms since the
   * last `signal`. Throws with its standard error if it ends with another one, or not in time.
   */
  async ends(expected: number | NodeJS.Signals, ms: number = DEADLINE_MS): Promise<number> {
    const actual = await this.exitCode(`its end with ${expected}`, ms)
    const milliseconds = performance.now() - this.#signalledAt
    assert.equal(actual, expected, `${this.name} ended with ${actual}, not ${expected}; ${this.#said()}`)
    return milliseconds
  }

  /** Resolves to its exit code, or the signal that killed it. Throws, naming `what`, if that takes too long. */
  async exitCode(what: string, ms: number = DEADLINE_MS): Promise<number | string> {
    try {
      return await deadline(what, this.#closed, ms)
    } catch (cause) {
      throw new Error(`${what}: ${this.name} has not ended; ${this.#said()}`, { cause })
    }
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    // a paused stream would delay `close`
    this.stdout.resume()
    if (this.isRunning) this.#child.kill('SIGKILL')
    await this.#closed.catch(ignore)
  }

  get #stdin(): Writable {
    assert.ok(this.#child.stdin, `${this.name} was started with another standard input`)
    return this.#child.stdin
  }

  #said(): string {
    return `it said: ${JSON.stringify(this.stderr.text)}`
  }
}

/** Throws unless a program with `args` uses only this machine. */
export function refusePublicNetwork(args: readonly string[]): void {
  if (args.includes('--local')) return
  assert.ok(args.includes('--no-lan'), `a test must not ask the local network: ${args.join(' ')}`)
  const addresses = args.filter((_, index) => args[index - 1] === '--bootstrap')
  assert.ok(addresses.length > 0, `a test must not use the public DHT: ${args.join(' ')}`)
  for (const address of addresses) {
    const host = address.slice(0, address.lastIndexOf(':'))
    assert.ok(isIP(host) === 4 && host.startsWith('127.'), `a test must not ask another machine: ${address}`)
  }
}

function ignore(): void {}
