import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { underLoad } from '../harness/patience.ts'
import type { Program } from '../harness/program.ts'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { type Lan, openLan, whyNoNamespaces } from '../network/namespaces.ts'

const MEGABYTE = 1024 * 1024
const MEMORY = 400 * MEGABYTE
const SHOUTER = new URL('shouter.js', import.meta.url)

/** Announced, and called at a time by each: MAX_CALLS of packages/node/src/network/lan.ts. */
const FORGED = 5000
const MAX_CALLS = 64

/** Whoever shouts has so many addresses. */
const ADDRESSES = 8

/** By kind of `SHOUTS`: how many, and how many a millisecond; 0 is as fast as it goes. */
const RATES: Readonly<Record<string, readonly [count: number, perMs: number]>> = {
  noise: [2000, 0],
  'noise behind our name': [2000, 0],
  'counts of what is not there': [500, 2],
  'counts behind our name': [500, 2],
  'pointers to pointers': [100, 0.4],
  'pointers to pointers, 64 KB': [25, 0.1],
  'services without number': [100, 0.4],
  'services without number, 64 KB': [25, 0.1],
  questions: [500, 2]
}

/** A writer and a reader in one network, and somebody else. */
class Scene {
  readonly sandbox: Sandbox
  readonly lan: Lan
  readonly writer: Program
  readonly reader: Program
  readonly key: string
  readonly #shouter: Program
  #lines = 0

  static async open(t: TestContext): Promise<Scene> {
    const sandbox = await Sandbox.open(t)
    const lan = openLan(t, 3)
    const own = Array.from({ length: ADDRESSES }, (_, index) => lan.addressOf(2 + index))
    for (const address of own.slice(1)) lan.addAddress(2, address)
    const shouter = await sandbox.peer(SHOUTER, { storage: null, args: own, ...on({ sandbox, lan }, 2) })
    await shouter.stdout.firstLines(1)
    const writer = await sandbox.writer({ args: ['--verbose'], ...on({ sandbox, lan }, 0) })
    const key = await keyOf(writer)
    const reader = await sandbox.reader(key, { args: ['--raw', '--verbose'], ...on({ sandbox, lan }, 1) })
    const scene = new Scene({ sandbox, lan, shouter, writer, reader, key })
    await scene.line()
    return scene
  }

  private constructor(about: {
    sandbox: Sandbox
    lan: Lan
    shouter: Program
    writer: Program
    reader: Program
    key: string
  }) {
    this.sandbox = about.sandbox
    this.lan = about.lan
    this.writer = about.writer
    this.reader = about.reader
    this.key = about.key
    this.#shouter = about.shouter
  }

  /** The answer of the one who shouts. */
  async tell(...words: readonly (string | number)[]): Promise<unknown> {
    const { stdout } = this.#shouter
    const lines = stdout.lineCount
    await this.#shouter.write(`${words.join('\t')}\n`)
    await stdout.until(words.join(' '), () => stdout.lineCount > lines)
    return JSON.parse(stdout.lines[lines] ?? '')
  }

  /** One more line is published, and comes. */
  async line(): Promise<string> {
    const line = `line ${this.#lines++}`
    await this.writer.write(`${line}\n`)
    await this.reader.stdout.until(line, () => this.reader.stdout.lineCount >= this.#lines)
    assert.equal(this.reader.stdout.lines.at(-1), line)
    return line
  }

  /** The log goes on for the reader that is there, and for one that comes; and nobody needs much. */
  async assertGoesOn(): Promise<void> {
    const line = await this.line()
    const began = performance.now()
    const late = await this.sandbox.reader(this.key, {
      storage: `late${this.#lines}`,
      ...on(this, 1, `late${this.#lines}`),
      args: ['--raw', '--exit', '--tail', '1']
    })
    await late.ends(0)
    const took = performance.now() - began
    assert.ok(took < underLoad(8000), `${took} ms`)
    assert.equal(late.stdout.text, `${line}\n`)
    for (const program of [this.writer, this.reader]) {
      const memory = await program.peakMemory()
      assert.ok(memory > 0 && memory < MEMORY, `${program.name}: ${memory / MEGABYTE} MiB`)
    }
  }
}

/** On a machine of the network, where programs do not meet others in a run-time directory. */
function on(
  { sandbox, lan }: { sandbox: Sandbox; lan: Lan },
  machine: number,
  name = `${machine}`
): StartOptions {
  return {
    namespace: lan.machines[machine] ?? '',
    env: { XDG_RUNTIME_DIR: sandbox.path(`run-${name}`) }
  }
}

test('garbage for multicast DNS is neither believed nor worth a word, and costs little', {
  skip: whyNoNamespaces
}, async (t) => {
  const scene = await Scene.open(t)
  const { writer, reader } = scene
  for (const [kind, [count, perMs]] of Object.entries(RATES)) {
    const before = await Promise.all([writer.cpuTime(), reader.cpuTime()])
    const took = (await scene.tell('shout', kind, count, perMs)) as number
    await scene.line()
    const after = await Promise.all([writer.cpuTime(), reader.cpuTime()])
    const shares = after.map((time, index) => (time - (before[index] ?? 0)) / took)
    t.diagnostic(`${kind}: ${shares.map((share) => Math.round(100 * share)).join(' and ')} % of a core`)
    if (perMs > 0) for (const share of shares) assert.ok(share < 0.5, `${kind}: ${share} of a core`)
  }
  await scene.assertGoesOn()
  for (const { stderr } of [writer, reader]) assert.doesNotMatch(stderr.text, /multicast/)
})

test(`${FORGED} peers that are announced and are not there: ${MAX_CALLS} are called at a time, and honest ones get through`, {
  skip: whyNoNamespaces
}, async (t) => {
  const scene = await Scene.open(t)
  await scene.tell('forge', FORGED)
  await scene.line()
  await scene.assertGoesOn()
  const most = (await scene.tell('calls')) as Readonly<Record<string, number>>
  t.diagnostic(`called at once: ${JSON.stringify(most)}`)
  for (const machine of [0, 1]) {
    const calls = most[scene.lan.addressOf(machine)] ?? 0
    assert.ok(calls > 0 && calls <= MAX_CALLS, `${calls} at once`)
  }
})
