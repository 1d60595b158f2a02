import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import { type Batch, type Node, type NodeOptions, openNode, type Status } from '../index.ts'

/** A machine for one test: the nodes on it find each other and no others, and close with the test. */
export interface Machine {
  readonly directory: string
  open(name: string, options?: Partial<NodeOptions>): Promise<Node>
}

export async function createMachine(t: TestContext): Promise<Machine> {
  const directory = await temporary(t)
  return {
    directory,
    open: async (name, options) => {
      const node = await openNode({
        storage: join(directory, name),
        rendezvous: join(directory, 'meet'),
        local: true,
        // a test must not use the network of this machine
        lan: false,
        ...options
      })
      atEnd(t, () => deadline('a node to close', node.close()))
      return node
    }
  }
}

/** Collects statuses. `until` waits for one. */
export function createLog(): {
  onStatus: (status: Status) => void
  until: (state: Status['state']) => Promise<Status>
} {
  const seen: Status[] = []
  const waiting: { state: Status['state']; resolve: (status: Status) => void }[] = []
  return {
    onStatus: (status) => {
      seen.push(status)
      for (const { state, resolve } of waiting) if (state === status.state) resolve(status)
    },
    until: (state) => {
      const found = seen.find((status) => status.state === state)
      if (found !== undefined) return Promise.resolve(found)
      return deadline(`status ${state}`, new Promise((resolve) => waiting.push({ state, resolve })))
    }
  }
}

/** The next `count` lines as strings. The last batch must end with the last of them. */
export async function take(
  batches: AsyncGenerator<Batch, void, undefined>,
  count: number
): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) {
    const { value } = await deadline(`line ${lines.length + 1} of ${count}`, batches.next())
    assert.ok(value, `the log ended after ${lines.length} of ${count} lines`)
    for (const { line } of value) lines.push(text(line))
  }
  assert.equal(lines.length, count)
  return lines
}

/** All bytes of an iteration that ends. */
export async function collect(batches: AsyncGenerator<Batch, void, undefined>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const batch of batches) parts.push(batch.bytes())
  return Buffer.concat(parts)
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

/** Lines like those of programs: a third has a few bytes, the rest up to 200. The same seed gives the same lines. */
export function seededLines(count: number, seed = 1): string[] {
  let state = seed
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
  return Array.from({ length: count }, (_, line) => {
    const length = next(10) < 3 ? next(4) : 19 + next(180)
    return `${String(line).repeat(40).slice(0, length)}\n`
  })
}

/** The number of bytes outside of the heap that are still referenced. */
export function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().arrayBuffers
}

/** Resolves once at most `most` bytes are held. Data in transit through this process counts until it is freed. */
export async function untilHeld(most: number): Promise<void> {
  const settled = async (): Promise<void> => {
    while (heldBytes() > most) await new Promise(setImmediate)
  }
  await deadline(`${most} bytes at most to be held`, settled(), 20_000)
}
