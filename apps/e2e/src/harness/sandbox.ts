import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { close, constants, open } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Node, openNode, openWriter, type Writer, type WriterOptions } from '@many-cores/node'
import { atEnd, temporary } from '@many-cores/testing'
import { builtFile, Program, type Stream } from './program.ts'

// bare descriptors: a garbage-collected FileHandle closes its descriptor, perhaps before the child has it
const openFile = promisify(open)
const closeFile = promisify(close)

export interface StartOptions {
  /** The subcommand, such as `verify`. Default: none. */
  readonly command?: string
  /** In addition to `--storage` and the network options. */
  readonly args?: readonly string[]
  /** The store's name in the sandbox; null for no `--storage`. Default: the program's name. */
  readonly storage?: string | null
  /** `host:port` on loopback. Default: `--local`. */
  readonly bootstrap?: string
  /** A network namespace without a route to the internet. There are no network options then. */
  readonly namespace?: string
  /** Standard streams that are closed when the program starts. Default: none. */
  readonly closed?: readonly Stream[]
  /** The user that it runs as. Default: this process's. */
  readonly uid?: number
  /** In addition to `PATH`, `HOME` and `MANY_CORES_RENDEZVOUS`. */
  readonly env?: Readonly<Record<string, string>>
  /** A file to read, or a descriptor, which is then closed here. Default: a pipe for `write` and `end`. */
  readonly stdin?: string | number
  /** A file to write, or a descriptor, which is then closed here. Default: a pipe to `stdout`. */
  readonly stdout?: string | number
}

/** A home, a runtime directory and stores for one test. Programs that still run when it ends are killed. */
export class Sandbox {
  readonly #root: string
  readonly #programs: Program[] = []
  readonly #nodes: Node[] = []
  readonly #descriptors = new Set<number>()

  static async open(t: TestContext): Promise<Sandbox> {
    const sandbox = new Sandbox(await temporary(t))
    atEnd(t, () => sandbox.close())
    await mkdir(sandbox.path('run'), { mode: 0o700 })
    await mkdir(sandbox.path('home'))
    return sandbox
  }

  private constructor(root: string) {
    this.#root = root
  }

  path(name: string): string {
    return join(this.#root, name)
  }

  async writer(options: StartOptions = {}): Promise<Program> {
    return await this.#start('writer', builtFile('writer'), options)
  }

  async reader(key: string, options: StartOptions = {}): Promise<Program> {
    const args = [...(options.args ?? []), key]
    return await this.#start('reader', builtFile('reader'), { ...options, args })
  }

  /** Starts a program, without a key. */
  async run(name: 'writer' | 'reader', options: StartOptions): Promise<Program> {
    return await this.#start(name, builtFile(name), options)
  }

  /** Runs a built file of this package, which accepts `--storage`, `--bootstrap` and `--no-lan`. */
  async peer(main: URL, options: StartOptions): Promise<Program> {
    const path = fileURLToPath(main)
    return await this.#start(basename(path, '.js'), path, options)
  }

  /** Publishes `input` with a writer that then exits. Resolves to the key of its log. */
  async publish(input: string | Uint8Array, options: StartOptions = {}): Promise<string> {
    const writer = await this.writer({ ...options, args: ['--exit', ...(options.args ?? [])] })
    writer.end(input)
    const key = await keyOf(writer)
    await writer.ends(0)
    return key
  }

  /** A writer in this process: the test controls its batches and their times. */
  async openWriter(options?: WriterOptions): Promise<Writer> {
    const rendezvous = this.path('run/many-cores')
    const node = await openNode({ storage: this.path('writer'), rendezvous, local: true })
    this.#nodes.push(node)
    return await openWriter(node, options)
  }

  /** A pipe as a shell makes it. The pipes that Node makes between processes are sockets. */
  async pipe(): Promise<{ readEnd: number; writeEnd: number }> {
    const path = this.path('pipe')
    execFileSync('mkfifo', [path])
    // opened for both first: opening one end alone would wait for the other
    const both = await openFile(path, constants.O_RDWR)
    const readEnd = await openFile(path, constants.O_RDONLY)
    const writeEnd = await openFile(path, constants.O_WRONLY)
    await Promise.all([closeFile(both), rm(path)])
    this.#descriptors.add(readEnd).add(writeEnd)
    return { readEnd, writeEnd }
  }

  /** Runs `cat file |`. Resolves to the read end of its pipe. */
  async cat(file: string): Promise<number> {
    const { readEnd, writeEnd } = await this.pipe()
    spawn('cat', [file], { stdio: ['ignore', writeEnd, 'inherit'] })
    await this.closeDescriptor(writeEnd)
    return readEnd
  }

  async closeDescriptor(descriptor: number): Promise<void> {
    this.#descriptors.delete(descriptor)
    await closeFile(descriptor)
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()))
    await Promise.all(this.#nodes.map((node) => node.close()))
    await Promise.all([...this.#descriptors].map((descriptor) => this.closeDescriptor(descriptor)))
  }

  async #start(name: string, main: string, options: StartOptions): Promise<Program> {
    const { command, args = [], storage = name, namespace, closed, stdin, stdout, env, uid } = options
    const store = storage === null ? [] : ['--storage', this.path(storage)]
    const [input, output] = [await this.#open(stdin, 'r'), await this.#open(stdout, 'w')]
    const program = new Program({
      name,
      main,
      args: [...(command === undefined ? [] : [command]), ...store, ...networkOf(options), ...args],
      env: { ...this.env, ...env },
      ...(namespace !== undefined && { namespace }),
      ...(closed !== undefined && { closed }),
      ...(uid !== undefined && { uid }),
      ...(input !== undefined && { stdin: input }),
      ...(output !== undefined && { stdout: output })
    })
    this.#programs.push(program)
    // the program has its own copies; a pipe that is open here, too, would never end
    for (const descriptor of [input, output])
      if (descriptor !== undefined) await this.closeDescriptor(descriptor)
    return program
  }

  async #open(file: string | number | undefined, flags: 'r' | 'w'): Promise<number | undefined> {
    if (typeof file !== 'string') return file
    const descriptor = await openFile(file, flags)
    this.#descriptors.add(descriptor)
    return descriptor
  }

  /** The environment of its programs. */
  get env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.path('home'),
      MANY_CORES_RENDEZVOUS: this.path('run/many-cores')
    }
  }
}

/** Resolves to a program, with all its output, once it has ended with `code`. */
export async function ended(starting: Promise<Program>, code: number = 0): Promise<Program> {
  const program = await starting
  await program.ends(code)
  return program
}

/** The key that a writer prints as its first line. */
export async function keyOf(writer: Program): Promise<string> {
  const [line = ''] = await writer.stdout.firstLines(1)
  const [, key] = /^main core key: ([0-9a-f]{64})$/.exec(line) ?? []
  assert.ok(key, `the writer's first line is ${JSON.stringify(line)}`)
  return key
}

/** The id that `reader id` or `writer id` prints for a store, which is created if it is missing. */
export async function idOf(sandbox: Sandbox, program: 'reader' | 'writer', storage: string): Promise<string> {
  const run = await sandbox.run(program, { command: 'id', storage })
  await run.ends(0)
  assert.match(run.stdout.text, /^[0-9a-f]{64}\n$/)
  assert.equal(run.stderr.text, '')
  return run.stdout.text.trim()
}

function networkOf({ bootstrap, namespace }: StartOptions): string[] {
  if (bootstrap !== undefined) return ['--bootstrap', bootstrap, '--no-lan']
  return namespace === undefined ? ['--local'] : []
}
