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

// bare descriptors: a FileHandle that is collected closes its own, under the child that was to have it
const openFile = promisify(open)
const closeFile = promisify(close)

export interface StartOptions {
  /** The program's first word: `verify`. Default: none. */
  readonly command?: string
  /** Beside `--storage` and the network. */
  readonly args?: readonly string[]
  /** The store's name in the sandbox; null leaves it to the program. Default: the program's name. */
  readonly storage?: string | null
  /** `host:port` on loopback. Default: `--local`. */
  readonly bootstrap?: string
  /** A network namespace without a way out; the network is then used as it is by default. */
  readonly namespace?: string
  /** Standard streams that the program is started without. Default: none. */
  readonly closed?: readonly Stream[]
  /** The user that it runs as. Default: this process's. */
  readonly uid?: number
  /** Beside `PATH`, `HOME` and `XDG_RUNTIME_DIR`. */
  readonly env?: Readonly<Record<string, string>>
  /** A file to read, or a descriptor, which becomes the program's. Default: what `write` and `end` are given. */
  readonly stdin?: string | number
  /** A file to write, or a descriptor, which becomes the program's. Default: what `stdout` has. */
  readonly stdout?: string | number
}

/** A machine of its own for one test: a home, a run-time directory, stores. It ends with the test, and all that runs on it. */
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

  /** The program with nothing but what `options` say. */
  async run(name: 'writer' | 'reader', options: StartOptions): Promise<Program> {
    return await this.#start(name, builtFile(name), options)
  }

  /** Runs a built file of this package, which takes `--storage`, `--bootstrap` and `--no-lan`, too. */
  async peer(main: URL, options: StartOptions): Promise<Program> {
    const path = fileURLToPath(main)
    return await this.#start(basename(path, '.js'), path, options)
  }

  /** Publishes `input` with a writer that leaves at once; the key of its log. */
  async publish(input: string | Uint8Array, options: StartOptions = {}): Promise<string> {
    const writer = await this.writer({ ...options, args: ['--exit', ...(options.args ?? [])] })
    writer.end(input)
    const key = await keyOf(writer)
    await writer.ends(0)
    return key
  }

  /** A writer in this process: the test decides on its batches and has its times. */
  async openWriter(options?: WriterOptions): Promise<Writer> {
    const rendezvous = this.path('run/many-cores')
    const node = await openNode({ storage: this.path('writer'), rendezvous, local: true })
    this.#nodes.push(node)
    return await openWriter(node, options)
  }

  /** A pipe as a shell makes it; what Node calls a pipe between processes is a socket. */
  async pipe(): Promise<{ readEnd: number; writeEnd: number }> {
    const path = this.path('pipe')
    execFileSync('mkfifo', [path])
    // opened for both first: alone, either end would wait for the other
    const both = await openFile(path, constants.O_RDWR)
    const readEnd = await openFile(path, constants.O_RDONLY)
    const writeEnd = await openFile(path, constants.O_WRONLY)
    await Promise.all([closeFile(both), rm(path)])
    this.#descriptors.add(readEnd).add(writeEnd)
    return { readEnd, writeEnd }
  }

  /** `cat file |`: the end of its pipe. */
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
      env: { ...this.#env, ...env },
      ...(namespace !== undefined && { namespace }),
      ...(closed !== undefined && { closed }),
      ...(uid !== undefined && { uid }),
      ...(input !== undefined && { stdin: input }),
      ...(output !== undefined && { stdout: output })
    })
    this.#programs.push(program)
    // it has its own copies; held open here, a pipe would never end
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

  get #env(): Record<string, string> {
    return { PATH: process.env.PATH ?? '', HOME: this.path('home'), XDG_RUNTIME_DIR: this.path('run') }
  }
}

/** Resolves to a program that has ended with `code`, and has all that it printed. */
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

function networkOf({ bootstrap, namespace }: StartOptions): string[] {
  if (bootstrap !== undefined) return ['--bootstrap', bootstrap, '--no-lan']
  return namespace === undefined ? ['--local'] : []
}
