import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import { openLoopback } from '../harness/loopback.ts'
import type { Program } from '../harness/program.ts'
import { keyOf, Sandbox, type StartOptions } from '../harness/sandbox.ts'
import { DATAGRAMS, pingLater } from './datagrams.ts'
import { assertMemory } from './memory.ts'
import { type OpenPorts, udpPortsOf } from './ports.ts'

const skip = process.platform !== 'linux' && 'only Linux shows the ports of a process'

/** Datagrams in total. `DATAGRAMS=1000000` for a long run. */
const FLOOD = Number(process.env.DATAGRAMS ?? 50_000)

/** Half of them are of all kinds; half ask for a later answer. */
const HALF = FLOOD / 2

/** The most CPU time for a datagram. Measured: 0.1 ms. */
const MOST_MS = 1

/** The most memory for a datagram that asks for a later answer. Measured: 100 bytes, not yet collected. */
const MOST_BYTES = 1000

/** Sent before the sender waits until they were received; a socket's buffer holds more. */
const AT_ONCE = 100

/** A writer, and a reader that finds it over a DHT, as if it were on another machine. */
class Scene {
  readonly sandbox: Sandbox
  readonly writer: Program
  readonly reader: Program
  readonly #key: string
  readonly #bootstrap: string
  #lines = 0

  static async open(t: TestContext): Promise<Scene> {
    const { address: bootstrap } = await openLoopback(t)
    const sandbox = await Sandbox.open(t)
    const writer = await sandbox.writer({ args: ['--verbose'], ...on(sandbox, 'w', bootstrap) })
    const key = await keyOf(writer)
    const reader = await sandbox.reader(key, { args: ['--raw'], ...on(sandbox, 'r', bootstrap) })
    const scene = new Scene({ sandbox, bootstrap, writer, reader, key })
    await scene.publishLine()
    return scene
  }

  private constructor(about: {
    sandbox: Sandbox
    bootstrap: string
    writer: Program
    reader: Program
    key: string
  }) {
    this.sandbox = about.sandbox
    this.writer = about.writer
    this.reader = about.reader
    this.#bootstrap = about.bootstrap
    this.#key = about.key
  }

  /** Publishes a line, and waits until the reader has it. */
  async publishLine(): Promise<string> {
    const line = `line ${this.#lines++}`
    await this.writer.write(`${line}\n`)
    await this.reader.stdout.until(line, () => this.reader.stdout.lineCount >= this.#lines)
    assert.equal(this.reader.stdout.lines.at(-1), line)
    return line
  }

  /** Checks that a connected and a new reader get the next line, and that memory stays small. */
  async assertContinues(): Promise<void> {
    const line = await this.publishLine()
    const late = await this.sandbox.reader(this.#key, {
      ...on(this.sandbox, 'late', this.#bootstrap),
      storage: 'late',
      args: ['--raw', '--exit', '--tail', '1']
    })
    await late.ends(0)
    assert.equal(late.stdout.text, `${line}\n`)
    await assertMemory(this.writer, this.reader)
  }
}

function on(sandbox: Sandbox, name: string, bootstrap: string): StartOptions {
  return { bootstrap, env: { MANY_CORES_RENDEZVOUS: sandbox.path(`run-${name}`) } }
}

/** Sends datagrams to every UDP port of a program. */
class Flood {
  readonly #open: OpenPorts
  readonly #socket = createSocket('udp4')

  static async open(t: TestContext, { pid = 0 }: Program): Promise<Flood> {
    const open = await udpPortsOf(pid)
    assert.ok(open.ports.length >= 2, `a node has at least two ports, not ${open.ports.join()}`)
    const flood = new Flood(open)
    flood.#socket.bind(0, '127.0.0.1')
    await once(flood.#socket, 'listening')
    atEnd(t, () => flood.#socket.close())
    return flood
  }

  private constructor(open: OpenPorts) {
    this.#open = open
  }

  /** Resolves when the program has received all of them. */
  async send(make: () => Buffer, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, turn) => this.#send(make(), turn)))
      while ((await this.#open.waiting()) > 0);
    }
  }

  #send(datagram: Buffer, turn: number): Promise<void> {
    const { ports } = this.#open
    return new Promise((resolve, reject) => {
      this.#socket.send(datagram, ports[turn % ports.length] ?? 0, '127.0.0.1', (error) =>
        error === null ? resolve() : reject(error)
      )
    })
  }
}

test(`${FLOOD} datagrams of garbage to the ports of DHT nodes cost little time and memory, and the log continues`, {
  skip
}, async (t) => {
  const scene = await Scene.open(t)
  const kinds = Object.entries(DATAGRAMS)
  const each = HALF / kinds.length / 2
  for (const program of [scene.writer, scene.reader]) {
    const flood = await Flood.open(t, program)
    for (const [kind, make] of kinds) {
      const before = await program.cpuTime()
      await flood.send(make, each)
      const cost = ((await program.cpuTime()) - before) / each
      await scene.publishLine()
      t.diagnostic(`${program.name}, ${kind}: ${cost.toFixed(2)} ms each`)
      assert.ok(cost < MOST_MS, `${kind}: ${cost} ms of a core for each`)
    }
  }
  await assertNotStored(t, scene.writer)
  await scene.assertContinues()
})

/** Checks that pings with a delay of 10 s are not stored: each would need 2 kB until its answer. */
async function assertNotStored(t: TestContext, program: Program): Promise<void> {
  const before = await program.peakMemory()
  const flood = await Flood.open(t, program)
  await flood.send(pingLater, HALF)
  const each = ((await program.peakMemory()) - before) / HALF
  t.diagnostic(`a ping to be answered later: ${Math.round(each)} bytes each`)
  assert.ok(each < MOST_BYTES, `${each} bytes each`)
}
