import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openNode, openWriter, type Writer } from '@many-cores/node'
import { atEnd, deadline, temporary } from '@many-cores/testing'

const MAIN = new URL('../main.js', import.meta.url).pathname

/** A machine of the test's own: its programs meet each other and nobody else. */
export interface World {
  readonly directory: string
  /** A writer of a new log, in this process. */
  write(options?: Parameters<typeof openWriter>[1]): Promise<Writer>
  /** The reader's program, as its user starts it; its store is `store` in the directory, unless named. */
  read(args: readonly string[], options?: ReadOptions): Run
}

export interface ReadOptions {
  readonly store?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A program that runs. */
export interface Run {
  readonly child: ChildProcess
  /** What it has printed and how it ended; rejects after a deadline. */
  readonly ended: Promise<Ended>
}

export interface Ended {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

export async function createWorld(t: TestContext): Promise<World> {
  const directory = await temporary(t)
  const runtime = join(directory, 'run')
  await mkdir(runtime, { mode: 0o700 })
  let stores = 0
  return {
    directory,
    write: async (options) => {
      const rendezvous = join(runtime, 'many-cores')
      const node = await openNode({ storage: join(directory, `w${stores++}`), rendezvous, local: true })
      atEnd(t, () => node.close())
      return await openWriter(node, options)
    },
    read: (args, { store = 'store', env = {} } = {}) => {
      const child = spawn(process.execPath, [MAIN, '--local', ...args].sort(commandFirst), {
        env: {
          PATH: process.env.PATH,
          HOME: directory,
          XDG_RUNTIME_DIR: runtime,
          MANY_CORES_STORAGE: join(directory, store),
          ...env
        },
        stdio: ['ignore', 'pipe', 'pipe']
      })
      const ended = follow(child, `reader ${args.join(' ')}`)
      atEnd(t, () => {
        child.kill('SIGKILL')
        return ended.catch(ignore)
      })
      return { child, ended }
    }
  }
}

/** The end of a test that has failed otherwise is not the fault to be told. */
function ignore(): void {}

/** The program, then a command, then the rest as it was. */
function commandFirst(a: string, b: string): number {
  return rank(a) - rank(b)
}

function rank(word: string): number {
  if (word === MAIN) return 0
  return word === 'cursors' || word === 'verify' ? 1 : 2
}

async function follow(child: ChildProcess, what: string): Promise<Ended> {
  const parts: Buffer[] = []
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => parts.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  try {
    await deadline(what, once(child, 'close'))
  } catch (error) {
    throw new Error(`${what} has not ended; it said: ${stderr}`, { cause: error })
  }
  return { code: child.exitCode, stdout: Buffer.concat(parts), stderr }
}

/** Line `position` of a log that tests know by heart: two in three are long. */
export function lineAt(position: number): string {
  return position % 3 === 0 ? `${position % 1000}\n` : `line ${position} ${'.'.repeat(position % 97)}\n`
}

/** Lines `from` to `to`, exclusive. */
export function linesOf(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => lineAt(from + index))
}
