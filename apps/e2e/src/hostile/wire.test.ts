import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import type { Peer } from 'hypercore'
import type { Program } from '../harness/program.ts'
import { randomBytes } from '../harness/samples.ts'
import { keyOf, Sandbox } from '../harness/sandbox.ts'
import { assertMemory, MEGABYTE } from './memory.ts'
import { closed, intrude, replicate, socketOf } from './peers.ts'

/** Connections in total. `CONNECTIONS=10000` for a long run. */
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 2000)

/** Connections at a time: more would exceed the limit of descriptors. */
const AT_ONCE = 400

/** A log with an honest reader, and connections of intruders. */
class Scene {
  readonly #t: TestContext
  readonly sandbox: Sandbox
  readonly writer: Program
  readonly reader: Program
  readonly key: string
  readonly #path: string
  #lines = 0
  #intruders = 0

  static async open(t: TestContext, lines: string | Uint8Array = 'first\n'): Promise<Scene> {
    const sandbox = await Sandbox.open(t)
    const writer = await sandbox.writer({ args: ['--verbose'] })
    const key = await keyOf(writer)
    const path = await socketOf(sandbox)
    await writer.write(lines)
    const reader = await sandbox.reader(key, { args: ['--raw'] })
    await reader.stdout.firstLines(1)
    return new Scene(t, { sandbox, writer, reader, key, path })
  }

  private constructor(
    t: TestContext,
    about: { sandbox: Sandbox; writer: Program; reader: Program; key: string; path: string }
  ) {
    this.#t = t
    this.sandbox = about.sandbox
    this.writer = about.writer
    this.reader = about.reader
    this.key = about.key
    this.#path = about.path
  }

  intrude(): Promise<Socket> {
    return intrude(this.#t, this.#path)
  }

  /** Connects a peer that has the key, and sends messages of its choice. */
  async intrudeAsPeer(): Promise<{ peer: WirePeer; socket: Socket }> {
    const store = new Corestore(this.sandbox.path(`intruder${this.#intruders++}`))
    atEnd(this.#t, () => store.close())
    const core = store.get({ key: b4a.from(this.key, 'hex') })
    await core.ready()
    const peer = new Promise<Peer>((resolve) => core.once('peer-add', resolve))
    const socket = await this.intrude()
    replicate(store, socket, true)
    return { peer: (await peer) as WirePeer, socket }
  }

  /** Checks that a connected and a new reader get the next line, and that memory stays small. */
  async assertContinues(): Promise<void> {
    const lines = this.reader.stdout.lineCount
    const line = `still there ${this.#lines++}`
    await this.writer.write(`${line}\n`)
    await this.reader.stdout.until(line, () => this.reader.stdout.lineCount > lines)
    assert.equal(this.reader.stdout.lines.at(-1), line)
    const late = await this.sandbox.reader(this.key, {
      storage: `late${this.#lines}`,
      args: ['--raw', '--exit', '--tail', '1']
    })
    await late.ends(0)
    assert.equal(late.stdout.text, `${line}\n`)
    await assertMemory(this.writer)
  }
}

/** The messages of Hypercore's wire protocol, for which upstream has no types. */
type WirePeer = Peer &
  Readonly<
    Record<
      'wireRequest' | 'wireWant' | 'wireUnwant' | 'wireRange' | 'wireBitfield' | 'wireSync' | 'wireCancel',
      { send(message: unknown): void }
    >
  > & { readonly protomux: { cork(): void; uncork(): void } }

/** A request without any part. */
const EMPTY_REQUEST = {
  fork: 0,
  block: null,
  hash: null,
  seek: null,
  upgrade: null,
  manifest: false,
  priority: 0
} as const

test('garbage before the handshake ends only that connection', async (t) => {
  const scene = await Scene.open(t)
  for (let seed = 0; seed < 50; seed++) {
    const socket = await scene.intrude()
    const ended = closed(socket)
    // some of it announces a message of megabytes, for which the writer must not wait
    socket.write(randomBytes(256 * 1024, seed))
    await ended
  }
  await scene.assertContinues()
})

test('garbage after the handshake ends only that connection', async (t) => {
  const scene = await Scene.open(t)
  const garbage = randomBytes(3 * MEGABYTE, 0)
  for (let seed = 0; seed < 20; seed++) {
    const socket = await scene.intrude()
    const ended = closed(socket)
    const store = new Corestore(scene.sandbox.path(`stranger${seed}`))
    const stream = store.replicate(true).noiseStream
    stream.on('error', () => {})
    const raw = stream.rawStream as unknown as NodeJS.ReadWriteStream
    socket.pipe(raw).on('error', () => {})
    raw.pipe(socket)
    assert.equal(await stream.opened, true)
    // valid encrypted messages with random content, then unencrypted bytes
    for (let message = 0; message < 20; message++)
      stream.write(randomBytes(1 + message * 500, seed * 100 + message))
    socket.write(garbage)
    await ended
    await store.close()
  }
  await scene.assertContinues()
})

test(`${CONNECTIONS} silent connections time out, and the log continues meanwhile`, async (t) => {
  const scene = await Scene.open(t)
  for (let opened = 0; opened < CONNECTIONS; opened += AT_ONCE) {
    const sockets = await Promise.all(Array.from({ length: AT_ONCE }, () => scene.intrude()))
    if (opened === 0) await scene.assertContinues()
    for (const socket of sockets) socket.destroy()
  }
  const silent = await scene.intrude()
  await closed(silent)
  await scene.assertContinues()
})

test('a peer that has the key and requests absurd ranges gets no answer, or is disconnected', async (t) => {
  const scene = await Scene.open(t)
  const huge = 2 ** 53 - 1
  const absurd: readonly ((peer: WirePeer) => void)[] = [
    ({ wireRequest }) => wireRequest.send({ ...EMPTY_REQUEST, id: 1, block: { index: huge, nodes: 0 } }),
    ({ wireRequest }) => wireRequest.send({ ...EMPTY_REQUEST, id: 2, block: { index: 0, nodes: huge } }),
    ({ wireRequest }) => wireRequest.send({ ...EMPTY_REQUEST, id: 3, hash: { index: huge, nodes: huge } }),
    ({ wireRequest }) => wireRequest.send({ ...EMPTY_REQUEST, id: 4, seek: { bytes: huge, padding: huge } }),
    ({ wireRequest }) =>
      wireRequest.send({ ...EMPTY_REQUEST, id: 5, upgrade: { start: huge, length: huge } }),
    ({ wireRequest }) =>
      wireRequest.send({ ...EMPTY_REQUEST, id: 6, fork: huge, block: { index: 0, nodes: 0 } }),
    ({ wireRequest }) => {
      for (let id = 7; id < 500; id++)
        wireRequest.send({ ...EMPTY_REQUEST, id, block: { index: huge - id, nodes: id } })
    },
    ({ wireWant }) => wireWant.send({ start: huge - (huge % 32768), length: huge }),
    ({ wireWant }) => wireWant.send({ start: 0, length: huge }),
    ({ wireUnwant }) => wireUnwant.send({ start: 0, length: huge }),
    ({ wireCancel }) => wireCancel.send({ request: huge }),
    ({ wireRange }) => wireRange.send({ drop: false, start: 0, length: huge }),
    ({ wireRange }) => wireRange.send({ drop: true, start: huge, length: huge }),
    ({ wireRange }) => wireRange.send({ drop: false, start: 1, length: huge - 1 }),
    ({ wireRange }) => {
      wireRange.send({ drop: false, start: 2 ** 50, length: 1 })
      wireRange.send({ drop: true, start: 0, length: huge })
    },
    ({ wireRange, protomux }) => {
      protomux.cork()
      for (let block = 0; block < 100_000; block++)
        wireRange.send({ drop: false, start: 1 + block * 32768, length: 1 })
      protomux.uncork()
    },
    ({ wireBitfield }) =>
      wireBitfield.send({ start: 2 ** 50, bitfield: new Uint32Array(1024).fill(0xffffffff) }),
    ({ wireSync }) =>
      wireSync.send({
        fork: 0,
        length: huge,
        remoteLength: huge,
        canUpgrade: true,
        uploading: true,
        downloading: true,
        hasManifest: true,
        allowPush: true
      }),
    ({ wireSync }) =>
      wireSync.send({
        fork: huge,
        length: huge,
        remoteLength: 0,
        canUpgrade: true,
        uploading: true,
        downloading: true,
        hasManifest: false,
        allowPush: false
      })
  ]
  for (const send of absurd) {
    const { peer, socket } = await scene.intrudeAsPeer()
    send(peer)
    await scene.assertContinues()
    socket.destroy()
    await closed(socket)
  }
})

test('a peer that requests one megabyte 100,000 times and reads no answer costs little, and is disconnected', async (t) => {
  const line = Buffer.alloc(MEGABYTE - 1, 'x')
  const scene = await Scene.open(t, Buffer.concat([line, Buffer.from('\n')]))
  const store = new Corestore(scene.sandbox.path('greedy'))
  atEnd(t, () => store.close())
  const bootstrap = store.get({ key: b4a.from(scene.key, 'hex'), valueEncoding: 'json' })
  await bootstrap.ready()
  const socket = await scene.intrude()
  replicate(store, socket, true)
  const { otherKeys } = (await bootstrap.get(0)) as { otherKeys: readonly string[] }
  const long = store.get({ key: b4a.from(otherKeys[1] ?? '', 'hex') })
  const { wireRequest, protomux } = (await new Promise<Peer>((resolve) =>
    long.once('peer-add', resolve)
  )) as WirePeer
  await long.update({ wait: true })
  socket.unpipe()
  socket.pause()
  const ended = scene.writer.stderr.says('the peer sent more than 4096 requests at once')
  for (let id = 1; id <= 100_000; ) {
    protomux.cork()
    for (let count = 0; count < 10_000; count++, id++)
      wireRequest.send({ ...EMPTY_REQUEST, id, block: { index: 0, nodes: 0 } })
    protomux.uncork()
  }
  await ended
  await scene.assertContinues()
})
