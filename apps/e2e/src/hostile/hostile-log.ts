import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Program } from '../harness/program.ts'
import { Sandbox } from '../harness/sandbox.ts'
import { serveAsWriter } from './neighbours.ts'

export const MEGABYTE = 1024 * 1024

/** Of the reader, whatever it is served. */
export const MEMORY = 400 * MEGABYTE

export interface Read {
  readonly reader: Program
  readonly memory: number
}

/** A log that anything can be appended to. */
export class HostileLog {
  readonly sandbox: Sandbox
  readonly store: Corestore
  readonly bootstrap: Hypercore
  readonly data: Hypercore

  static async open(t: TestContext): Promise<HostileLog> {
    const sandbox = await Sandbox.open(t)
    const log = new HostileLog(sandbox)
    atEnd(t, () => log.store.close())
    await Promise.all([log.bootstrap.ready(), log.data.ready()])
    await serveAsWriter(t, sandbox, {
      store: log.store,
      discoveryKey: log.bootstrap.discoveryKey as Uint8Array
    })
    return log
  }

  private constructor(sandbox: Sandbox) {
    this.sandbox = sandbox
    this.store = new Corestore(sandbox.path('hostile'))
    this.bootstrap = this.store.get({ name: 'core-1' })
    this.data = this.store.get({ name: 'core-2' })
  }

  get key(): string {
    return b4a.toString(this.bootstrap.key as Uint8Array, 'hex')
  }

  /** A manifest with one core, and whatever it is to have beside. */
  manifest(other: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      otherKeys: [b4a.toString(this.data.key as Uint8Array, 'hex')],
      version: 1,
      cores: [{ name: 'all' }],
      routing: { rule: 'hash', cores: 1 },
      framing: 'newline',
      ...other
    }
  }

  async append(...blocks: readonly unknown[]): Promise<void> {
    for (const block of blocks)
      await this.bootstrap.append(block instanceof Uint8Array ? block : b4a.from(JSON.stringify(block)))
  }

  /** A reader with `args`, which ends with `code`; what it has said, and the most memory that it was seen to have. */
  async read(code: number, ...args: readonly string[]): Promise<Read> {
    const { reader, memory, code: actual } = await this.attempt('reader', args)
    assert.equal(actual, code, reader.stderr.text)
    return { reader, memory }
  }

  /** The same of one with this store, however it ends. */
  async attempt(storage: string, args: readonly string[]): Promise<Read & { code: number | string }> {
    const reader = await this.sandbox.reader(this.key, { storage, args: ['--timeout', '10', ...args] })
    let memory = 0
    const watch = async (): Promise<void> => {
      while (reader.isRunning) {
        memory = Math.max(memory, await reader.peakMemory())
        await setTimeout(20)
      }
    }
    const watching = watch()
    const code = await reader.exitCode(args.join(' '))
    await watching
    return { reader, memory, code }
  }
}

/** The last word is one sentence, after what a reader says while it looks; no stack. */
export function assertOneFault({ stderr }: Program, fault: RegExp): void {
  const lines = stderr.lines.filter((line) => !/: (opening|finding|connect|alone|live|syncing)/.test(line))
  assert.equal(lines.length, 1, stderr.text)
  assert.match(lines[0] ?? '', fault)
  assert.ok((lines[0] ?? '').length < 400, 'a fault is no copy of what was sent')
}
