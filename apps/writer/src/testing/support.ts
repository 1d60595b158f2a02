import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openNode, openReader } from '@many-cores/node'
import { atEnd, DEADLINE_MS, deadline } from '@many-cores/testing'

const WRITER = fileURLToPath(new URL('../main.js', import.meta.url))

/** The program, with the store `directory/store`, on a machine of the test's own. */
export class WriterProcess {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>
  readonly #closed: Promise<unknown>
  /** Whether it has ended, and all that it said was heard. */
  #isClosed = false
  stdout = ''
  stderr = ''

  constructor(t: TestContext, directory: string, ...argv: readonly string[]) {
    const args = ['--enable-source-maps', WRITER, '--local', '--storage', join(directory, 'store'), ...argv]
    const env = { PATH: process.env.PATH, HOME: directory, XDG_RUNTIME_DIR: directory }
    this.#process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#closed = once(this.#process, 'close')
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.#process.once('close', () => {
      this.#isClosed = true
    })
    // whatever a failing test leaves behind would keep the runner for ever
    atEnd(t, () => this.ended('SIGKILL'))
  }

  /** Resolves to the key once it is printed. */
  async key(): Promise<string> {
    await this.#says('the key', this.#process.stdout, () => this.stdout.includes('\n'))
    return this.stdout.trim().split(' ').at(-1) ?? ''
  }

  /** Resolves once `text` was said on standard error. */
  async heard(text: string): Promise<void> {
    await this.#says(text, this.#process.stderr, () => this.stderr.includes(text))
  }

  /** Sends `signal`, if any, and resolves with the exit code once the process has ended. */
  async ended(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.#process.kill(signal)
    await deadline(`the end of the writer, which said: ${this.stderr}`, this.#closed)
    return this.#process.exitCode
  }

  async #says(what: string, stream: Readable, isSaid: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    while (!isSaid()) {
      if (signal.aborted || this.#isClosed) throw new Error(`waited for ${what}, heard '${this.stderr}'`)
      await Promise.race([once(stream, 'data', { signal }), this.#closed]).catch(() => {})
    }
  }
}

/** Runs the writer to its end; fails unless it is the exit code that is expected. */
export async function runWriter(
  t: TestContext,
  directory: string,
  { argv, code = 0 }: { readonly argv: readonly string[]; readonly code?: number }
): Promise<string> {
  const writer = new WriterProcess(t, directory, ...argv)
  assert.equal(await writer.ended(), code, writer.stderr)
  return writer.stderr
}

/** All that the log in `directory/store` holds. No writer may have it open. */
export async function readLog(directory: string, key: string): Promise<Buffer> {
  await using node = await openNode({ storage: join(directory, 'store'), local: true, rendezvous: directory })
  await using reader = await openReader(node, key)
  const parts: Uint8Array[] = []
  for await (const batch of reader.batches({ live: false })) parts.push(batch.bytes())
  return Buffer.concat(parts)
}

/** What comes over the network from the writer in `directory`, as it comes. */
export class LiveLog {
  readonly #batches: AsyncGenerator<{ bytes(): Uint8Array }, void, undefined>
  text = ''

  private constructor(batches: AsyncGenerator<{ bytes(): Uint8Array }, void, undefined>) {
    this.#batches = batches
  }

  static async open(t: TestContext, directory: string, key: string): Promise<LiveLog> {
    const rendezvous = join(directory, 'many-cores')
    const node = await openNode({ storage: join(directory, 'reader'), local: true, rendezvous })
    atEnd(t, () => node.close())
    const reader = await openReader(node, key)
    return new LiveLog(reader.batches())
  }

  /** Resolves once everything so far is `text`. */
  async until(text: string): Promise<void> {
    while (this.text.length < text.length) {
      const { value } = await deadline(
        `'${text.slice(this.text.length, this.text.length + 80)}'`,
        this.#batches.next()
      )
      this.text += Buffer.from(value?.bytes() ?? []).toString()
    }
    assert.equal(this.text, text)
  }
}
