import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, type Stats } from 'node:fs'
import { lstat, mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import { ignore, NodeError } from '../errors.ts'
import { type Network, type NetworkOptions, reachability, type SearchResult } from './network.ts'

/** Scans find processes that a call at the start could not reach, for example because of a full backlog. */
const SCAN_INTERVAL_MS = 3000

/**
 * Node truncates longer paths silently: a `sockaddr_un` has room for 103 bytes on macOS, for 107 on Linux.
 * Below the root, a socket's path takes 40: `/<16 digits>/.<16 digits>.main`.
 */
const MAX_ROOT_BYTES = 103 - 40

/** Both suffixes have the same length. The writer's tells readers which process to call first. */
const SOCKET = /^([0-9a-f]{16})(\.sock|\.main)$/
const WRITER_SUFFIX = '.main'

/**
 * A reader calls the writer and this many readers, so that lines keep coming if the writer exits. If all
 * called all, dozens of readers would have thousands of connections.
 */
const READERS_BESIDE_WRITER = 3
const READERS_WITHOUT_WRITER = 8

/** Node's default is 16 KiB. This size avoids pauses between blocks: history arrives a seventh faster. */
const SOCKET_BUFFER = { highWaterMark: 256 * 1024 } as const

/** A process that closes a call this soon has refused it, and is not called again for a while. */
const REFUSED_MS = 1000
const REST_MS = 5000

export interface LocalOptions extends NetworkOptions {
  /** The directory of the rendezvous directories. */
  readonly root: string
}

/**
 * Local discovery: finds the processes of this user on this machine. Each log has a rendezvous directory with
 * a unix socket for each process. A process first listens, then calls those that listen already, so of any
 * two the later one finds the earlier one.
 */
export class LocalNetwork implements Network {
  readonly #options: LocalOptions
  /** By the logs' discovery keys, in hex. */
  readonly #rendezvous = new Map<string, Rendezvous>()
  #isClosed = false

  constructor(options: LocalOptions) {
    this.#options = options
  }

  async join(discoveryKey: Uint8Array, isWriter: boolean): Promise<void> {
    if (this.#isClosed) return
    const rendezvous = new Rendezvous(this.#options, discoveryKey, isWriter)
    this.#rendezvous.set(b4a.toString(discoveryKey, 'hex'), rendezvous)
    await rendezvous.open()
  }

  /** Scans run all the time. */
  onDisconnected(): void {}

  searchResult(): SearchResult {
    const [fault] = [...this.#rendezvous.values()].flatMap((rendezvous) => rendezvous.fault ?? [])
    const none = `no process of this user on this machine serves this log (looked in ${this.#options.root})`
    return { found: 0, reason: fault ?? none }
  }

  isSearching(discoveryKey: Uint8Array): boolean {
    return (this.#rendezvous.get(b4a.toString(discoveryKey, 'hex'))?.calls.size ?? 0) > 0
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#rendezvous.values()].map((rendezvous) => rendezvous.close()))
  }
}

/**
 * The directory of the rendezvous directories: `directory`, or `$MANY_CORES_RENDEZVOUS`, or else one that is the same in all shells,
 * services and cron jobs of this user. `XDG_RUNTIME_DIR` and `TMPDIR` are not.
 *
 * Throws NodeError `BAD_OPTION` if the path is relative, or the sockets in it would have paths that are too long.
 */
export function rendezvousRoot(directory: string | undefined = process.env.MANY_CORES_RENDEZVOUS): string {
  const shared = process.platform === 'win32' ? tmpdir() : '/tmp'
  const root = directory || join(shared, `many-cores-${process.getuid?.() ?? 'user'}`)
  if (!isAbsolute(root))
    throw new NodeError('BAD_OPTION', `rendezvous path ${root} is relative: use an absolute path`)
  const bytes = b4a.byteLength(root)
  if (bytes <= MAX_ROOT_BYTES) return root
  throw new NodeError(
    'BAD_OPTION',
    `rendezvous path ${root} is too long: ${bytes} bytes, at most ${MAX_ROOT_BYTES} are possible; use a shorter path`
  )
}

/** Throws unless a directory and a socket can be made in `root`. */
export async function checkRendezvous(root: string): Promise<void> {
  await makePrivate(root)
  const server = createServer().listen(join(root, `.${randomBytes(8).toString('hex')}.sock`))
  await once(server, 'listening')
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

/** A store has one process and one key pair, so its key names the socket, also after a restart. */
function idOf(publicKey: Uint8Array): string {
  return b4a.toString(publicKey.subarray(0, 8), 'hex')
}

/** Another process that listens. */
interface Neighbour {
  readonly id: string
  readonly isWriter: boolean
  readonly path: string
}

/** This process's part in one rendezvous directory. */
class Rendezvous {
  readonly #options: LocalOptions
  readonly #isWriter: boolean
  readonly #directory: string
  readonly #id: string
  readonly #path: string
  /** With the id of the process at the other end, where it is known. */
  readonly #sockets = new Map<Socket, string | null>()
  /** The ids that are not called, and until when. */
  readonly #resting = new Map<string, number>()
  readonly #server = createServer(SOCKET_BUFFER, (socket) => this.#openStream(socket, null))
  #timer: NodeJS.Timeout | undefined
  #scanning: Promise<void> | null = null
  /** Calls that have been neither answered nor refused yet. */
  readonly calls = new Set<Socket>()
  /** Why other processes cannot find this one. */
  fault: string | null = null

  constructor(options: LocalOptions, discoveryKey: Uint8Array, isWriter: boolean) {
    this.#options = options
    this.#isWriter = isWriter
    this.#directory = join(options.root, b4a.toString(discoveryKey.subarray(0, 8), 'hex'))
    this.#id = idOf(options.keyPair.publicKey)
    this.#path = join(this.#directory, `${this.#id}${isWriter ? WRITER_SUFFIX : '.sock'}`)
    this.#server.on('error', ignore)
  }

  open(): Promise<void> {
    this.#timer = setInterval(() => void this.#scan(), SCAN_INTERVAL_MS).unref()
    return this.#scan()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    // a server that is about to listen cannot be closed yet
    await this.#scanning
    await unlink(this.#path).catch(ignore)
    for (const socket of this.#sockets.keys()) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  // Bound under another name and renamed: a call between bind and listen would be refused, and the caller
  // would take this process for dead.
  async #listen(): Promise<void> {
    await makePrivate(this.#options.root)
    await makePrivate(this.#directory)
    const hidden = join(this.#directory, `.${basename(this.#path)}`)
    await unlink(hidden).catch(ignore)
    if (this.#server.listening) this.#server.close()
    const listening = once(this.#server, 'listening')
    this.#server.listen(hidden)
    await listening
    await rename(hidden, this.#path)
  }

  /** Never rejects: a fault is reported, and the next scan tries again. */
  #scan(): Promise<void> {
    this.#scanning ??= this.#callNeighbours()
      .then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error))
      )
      .then((fault) => {
        this.#scanning = null
        if (fault === this.fault) return
        this.fault = fault
        this.#options.onStatus(reachability('local', fault))
      })
    return this.#scanning
  }

  async #callNeighbours(): Promise<void> {
    // another process may have taken this socket for that of a dead process, and removed it
    if (!this.#server.listening || !existsSync(this.#path)) await this.#listen()
    const names = await readdir(this.#directory)
    const neighbours = names.flatMap((name) => {
      const [, id, suffix] = SOCKET.exec(name) ?? []
      if (id === undefined || id === this.#id) return []
      return { id, isWriter: suffix === WRITER_SUFFIX, path: join(this.#directory, name) }
    })
    for (const neighbour of this.#toCall(neighbours)) this.#call(neighbour)
  }

  /** A writer calls all processes; a reader calls the writer and random readers, so all are connected. */
  #toCall(neighbours: readonly Neighbour[]): Neighbour[] {
    const now = performance.now()
    const connected = new Set(this.#sockets.values())
    for (const [id, until] of this.#resting) if (until <= now) this.#resting.delete(id)
    const isCallable = ({ id }: Neighbour): boolean => !connected.has(id) && !this.#resting.has(id)
    const writers = neighbours.filter(({ isWriter }) => isWriter)
    const readers = neighbours.filter(({ isWriter }) => !isWriter)
    const calls = writers.filter(isCallable)
    if (this.#options.isFull()) return calls
    const callable = shuffled(readers.filter(isCallable))
    if (this.#isWriter) return [...calls, ...callable]
    const hasWriter = calls.length > 0 || writers.some(({ id }) => connected.has(id))
    const enough = hasWriter ? READERS_BESIDE_WRITER : READERS_WITHOUT_WRITER
    const have = readers.filter(({ id }) => connected.has(id)).length
    return [...calls, ...callable.slice(0, Math.max(0, enough - have))]
  }

  #call(neighbour: Neighbour): void {
    const { id, path } = neighbour
    const socket = dial({ path, ...SOCKET_BUFFER })
    this.#sockets.set(socket, id)
    this.calls.add(socket)
    socket.once('close', () => this.calls.delete(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#sockets.delete(socket)
      // the process that listened there has died: any caller removes its name
      if (error.code === 'ECONNREFUSED') unlink(path).catch(ignore)
    })
    socket.once('connect', () => this.#openStream(socket, neighbour))
  }

  #openStream(socket: Socket, called: Neighbour | null): void {
    const since = performance.now()
    this.#sockets.set(socket, called?.id ?? null)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const now = performance.now()
      if (called === null || now - since >= REFUSED_MS) return
      // two processes may call each other at once; then the other connection stays
      if (![...this.#sockets.values()].includes(called.id)) this.#resting.set(called.id, now + REST_MS)
    })
    const stream = new SecretStream(called !== null, socket, { keyPair: this.#options.keyPair })
    this.#options.add({ stream, via: 'local', isWriter: called?.isWriter ?? false })
    stream.opened.then((isOpen) => {
      this.calls.delete(socket)
      // a called process keeps the id that it was called by
      if (isOpen && called === null && this.#sockets.has(socket))
        this.#sockets.set(socket, idOf(stream.remotePublicKey))
    }, ignore)
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

/** Makes a directory that only this user can enter. Throws if it exists and is not one: in /tmp, any user can make it. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const fault = whyNotPrivate(await lstat(directory))
  if (fault === null) return
  throw new Error(
    `${directory} ${fault}; it must be a directory of this user with mode 0700. Remove it, or set MANY_CORES_RENDEZVOUS to another one`
  )
}

function whyNotPrivate(stat: Stats): string | null {
  if (stat.uid !== (process.getuid?.() ?? stat.uid)) return `belongs to another user (uid ${stat.uid})`
  if (!stat.isDirectory()) return 'is not a directory'
  return (stat.mode & 0o077) === 0 ? null : `has mode 0${(stat.mode & 0o777).toString(8)}`
}
