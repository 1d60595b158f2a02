import { spawn } from 'node:child_process'
import { closeSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import createTestnet, { type Testnet } from 'hyperdht/testnet.js'
import { createPipe } from './pipe.ts'
import { type Command, Program } from './program.ts'
import { createWorkload, type Workload, type WorkloadName } from './workloads.ts'

/** Where measurements are made: a directory, a DHT on loopback, and the processes. All of it goes with `close`, or with this process. */
export interface Lab {
  /** `host:port` of the DHT. */
  readonly bootstrap: string
  /** The first `lines` lines of a workload; made once. */
  workload(name: WorkloadName, lines: number): Workload
  /** A new, empty directory, for as long as `work` takes. */
  within<T>(work: (directory: string) => Promise<T>): Promise<T>
  /** Starts a process, which is killed with the lab if it has not ended by then. */
  start(command: Command): Program
  /** Starts a process that reads a pipe, and returns what lets a file flow into it. */
  startPiped(command: Command): { readonly program: Program; readonly feed: (file: string) => void }
  /** Kills every process that still runs: after a failure, the next measurement needs the machine for itself. */
  clear(): Promise<void>
  close(): Promise<void>
}

const DHT_NODES = 3
/** Socket paths are cut off at about 107 bytes, and programs would then use another one. */
const MAX_DIRECTORY_BYTES = 40

export async function openLab(): Promise<Lab> {
  const directory = await mkdtemp(join(tmpdir(), 'mcb-'))
  const programs = new Set<Program>()
  // if `close` is not reached
  const sweep = (): void => {
    for (const program of programs) program.kill()
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 })
  }
  process.once('exit', sweep)
  if (Buffer.byteLength(directory) > MAX_DIRECTORY_BYTES)
    throw new Error(`${directory} is too long for sockets: set TMPDIR to a shorter one`)
  const testnet = await createTestnet(DHT_NODES, { host: '127.0.0.1' })
  const workloads = new Map<string, Workload>()
  let count = 0

  const adopt = (program: Program): Program => {
    programs.add(program)
    const release = (): void => void programs.delete(program)
    program.exited.then(release, release)
    return program
  }

  const startPiped: Lab['startPiped'] = (command) => {
    const { readEnd, writeEnd } = createPipe(directory)
    const program = adopt(new Program(command, { input: readEnd }))
    closeSync(readEnd)
    const feed = (file: string): void => {
      const cat = spawn('cat', [file], { stdio: ['ignore', writeEnd, 'inherit'] })
      cat.once('error', (error) => process.stderr.write(`${error.message}\n`))
      closeSync(writeEnd)
    }
    return { program, feed }
  }

  const clear = async (): Promise<void> => {
    for (const program of programs) program.kill()
    await Promise.allSettled([...programs].map((program) => program.exited))
  }

  return {
    bootstrap: addressOf(testnet),
    workload: (name, lines) => {
      const key = `${name}-${lines}`
      const workload = workloads.get(key) ?? createWorkload(directory, name, lines)
      workloads.set(key, workload)
      return workload
    },
    within: async (work) => {
      const own = join(directory, String(++count))
      await mkdir(own)
      const result = await work(own)
      // after a failure, processes may still write there: the lab removes it
      await rm(own, { recursive: true })
      return result
    },
    start: (command) => adopt(new Program(command)),
    startPiped,
    clear,
    close: async () => {
      await clear()
      await testnet.destroy()
      await rm(directory, { recursive: true, force: true, maxRetries: 10 })
      process.off('exit', sweep)
    }
  }
}

function addressOf({ bootstrap: [first] }: Testnet): string {
  if (first === undefined) throw new Error('the DHT has no nodes')
  return `${first.host}:${first.port}`
}
