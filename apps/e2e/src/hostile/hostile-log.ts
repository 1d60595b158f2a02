import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Program } from '../harness/program.ts'
import { Sandbox } from '../harness/sandbox.ts'
import { serveAsWriter } from './peers.ts'

export interface Read {
  readonly reader: Program
  readonly memory: number
}

/** A log with arbitrary blocks, served as a writer would. */
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

  /** A manifest with one core, and `changes`. */
  manifest(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      otherKeys: [b4a.toString(this.data.key as Uint8Array, 'hex')],
      version: 1,
      cores: [{ name: 'all' }],
      routing: { rule: 'hash', cores: 1 },
      framing: 'newline',
      ...changes
    }
  }

  async append(...blocks: readonly unknown[]): Promise<void> {
    for (const block of blocks)
      await this.bootstrap.append(block instanceof Uint8Array ? block : b4a.from(JSON.stringify(block)))
  }

  /** Runs a reader with `args`, which must end with `code`. Resolves to it, and its peak memory. */
  async read(code: number, ...args: readonly string[]): Promise<Read> {
    const { reader, memory, code: actual } = await this.attempt('reader', args)
    assert.equal(actual, code, reader.stderr.text)
    return { reader, memory }
  }

  /** Runs a reader with this store and `args`. Resolves to it, its peak memory and its exit code. */
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

/** Checks that standard error has one line for the fault, and no stack, in addition to progress. */
export function assertOneFault({ stderr }: Program, fault: RegExp): void {
  const lines = stderr.lines.filter((line) => !/: (opening|finding|connect|alone|live|syncing)/.test(line))
  assert.equal(lines.length, 1, stderr.text)
  assert.match(lines[0] ?? '', fault)
  assert.ok((lines[0] ?? '').length < 400, 'the message does not contain all that was sent')
}
