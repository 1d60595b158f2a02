import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { underLoad } from '../harness/load.ts'
import type { Program } from '../harness/program.ts'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { type Lan, openLan, whyNoNamespaces } from '../network/namespaces.ts'
import { assertMemory } from './memory.ts'

const ATTACKER = new URL('attacker.js', import.meta.url)

/** Announced peers, and how many a node calls at a time: MAX_CALLS of packages/node/src/network/lan.ts. */
const FORGED = 5000
const MAX_CALLS = 64

/** The number of addresses that the attacker has. */
const ADDRESSES = 8

/** By kind of `MESSAGES`: how many, and how many per ms; 0 is as fast as possible. */
const RATES: Readonly<Record<string, readonly [count: number, perMs: number]>> = {
  noise: [2000, 0],
  'noise after our name': [2000, 0],
  'counts of missing records': [500, 2],
  'counts after our name': [500, 2],
  'pointers to pointers': [100, 0.4],
  'pointers to pointers, 64 KB': [25, 0.1],
  'countless services': [100, 0.4],
  'countless services, 64 KB': [25, 0.1],
  questions: [500, 2]
}

/** A writer, a reader and an attacker in one network. */
class Scene {
  readonly sandbox: Sandbox
  readonly lan: Lan
  readonly writer: Program
  readonly reader: Program
  readonly key: string
  readonly #attacker: Program
  #lines = 0

  static async open(t: TestContext): Promise<Scene> {
    const sandbox = await Sandbox.open(t)
    const lan = openLan(t, 3)
    const own = Array.from({ length: ADDRESSES }, (_, index) => lan.addressOf(2 + index))
    for (const address of own.slice(1)) lan.addAddress(2, address)
    const attacker = await sandbox.peer(ATTACKER, { storage: null, args: own, ...on({ sandbox, lan }, 2) })
    await attacker.stdout.firstLines(1)
    const writer = await sandbox.writer({ args: ['--verbose'], ...on({ sandbox, lan }, 0) })
    const key = await keyOf(writer)
    const reader = await sandbox.reader(key, { args: ['--raw', '--verbose'], ...on({ sandbox, lan }, 1) })
    const scene = new Scene({ sandbox, lan, attacker, writer, reader, key })
    await scene.publishLine()
    return scene
  }

  private constructor(about: {
    sandbox: Sandbox
    lan: Lan
    attacker: Program
    writer: Program
    reader: Program
    key: string
  }) {
    this.sandbox = about.sandbox
    this.lan = about.lan
    this.writer = about.writer
    this.reader = about.reader
    this.key = about.key
    this.#attacker = about.attacker
  }

  /** Gives the attacker a command. Resolves to its answer. */
  async attack(...words: readonly (string | number)[]): Promise<unknown> {
    const { stdout } = this.#attacker
    const lines = stdout.lineCount
    await this.#attacker.write(`${words.join('\t')}\n`)
    await stdout.until(words.join(' '), () => stdout.lineCount > lines)
    return JSON.parse(stdout.lines[lines] ?? '')
  }

  /** Publishes a line, and waits until the reader has it. */
  async publishLine(): Promise<string> {
    const line = `line ${this.#lines++}`
    await this.writer.write(`${line}\n`)
    await this.reader.stdout.until(line, () => this.reader.stdout.lineCount >= this.#lines)
    assert.equal(this.reader.stdout.lines.at(-1), line)
    return line
  }

  /** Checks that a connected and a new reader get the next line in time, and that memory stays small. */
  async assertContinues(): Promise<void> {
    const line = await this.publishLine()
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
    await assertMemory(this.writer, this.reader)
  }
}

/** On a machine of the network, with its own runtime directory: there is no local discovery. */
function on(
  { sandbox, lan }: { sandbox: Sandbox; lan: Lan },
  machine: number,
  name = `${machine}`
): StartOptions {
  return {
    namespace: lan.machines[machine] ?? '',
    env: { MANY_CORES_RENDEZVOUS: sandbox.path(`run-${name}`) }
  }
}

test('garbage for multicast DNS is ignored without a message, and costs little', {
  skip: whyNoNamespaces
}, async (t) => {
  const scene = await Scene.open(t)
  const { writer, reader } = scene
  for (const [kind, [count, perMs]] of Object.entries(RATES)) {
    const before = await Promise.all([writer.cpuTime(), reader.cpuTime()])
    const took = (await scene.attack('send', kind, count, perMs)) as number
    await scene.publishLine()
    const after = await Promise.all([writer.cpuTime(), reader.cpuTime()])
    const shares = after.map((time, index) => (time - (before[index] ?? 0)) / took)
    t.diagnostic(`${kind}: ${shares.map((share) => Math.round(100 * share)).join(' and ')} % of a core`)
    if (perMs > 0) for (const share of shares) assert.ok(share < 0.5, `${kind}: ${share} of a core`)
  }
  await scene.assertContinues()
  for (const { stderr } of [writer, reader]) assert.doesNotMatch(stderr.text, /multicast/)
})

test(`of ${FORGED} announced peers that do not exist, ${MAX_CALLS} are called at a time, and real peers still connect`, {
  skip: whyNoNamespaces
}, async (t) => {
  const scene = await Scene.open(t)
  await scene.attack('forge', FORGED)
  await scene.publishLine()
  await scene.assertContinues()
  const most = (await scene.attack('calls')) as Readonly<Record<string, number>>
  t.diagnostic(`called at once: ${JSON.stringify(most)}`)
  for (const machine of [0, 1]) {
    const calls = most[scene.lan.addressOf(machine)] ?? 0
    assert.ok(calls > 0 && calls <= MAX_CALLS, `${calls} at once`)
  }
})
