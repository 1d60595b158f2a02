import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { lstat, mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import { ignore, NodeError } from '../errors.ts'
import { type Network, type NetworkOptions, usability } from './network.ts'

/** Every process meets the others when it starts; this finds whoever was missed, e.g. after a full backlog. */
const RESCAN_INTERVAL_MS = 3000

/**
 * What Node cuts off silently: a `sockaddr_un` has room for 103 bytes on macOS, for 107 on Linux. Below the root, a socket's
 * path takes 40: `/<16 digits>/.<16 digits>.main`.
 */
const MAX_ROOT_BYTES = 103 - 40

/** As long as each other: paths are short. The writer's is known by its name. */
const SOCKET = /^[0-9a-f]{16}\.(?:sock|main)$/
const WRITER_SUFFIX = '.main'

/**
 * A reader calls the log's writer, and so many others, that the lines go on when the writer leaves; without a writer, more.
 * All with all would be thousands of connections where dozens read.
 */
const ENOUGH_OTHERS = { withWriter: 3, alone: 8 } as const

/**
 * How much a socket gathers before whoever writes has to wait; Node's own is 16 KiB. A block that travels is then followed by
 * the next one without a pause: history comes a seventh faster.
 */
const SOCKET_BUFFER = { highWaterMark: 256 * 1024 } as const

/** A call that is answered and ended at once was refused, or answered by nobody of ours: … */
const REFUSED_MS = 1000

/** … it is not repeated for so long. */
const REST_MS = 5000

export interface LocalOptions extends NetworkOptions {
  /** Where the rendezvous directories are: `rendezvousRoot()` unless the user says otherwise. */
  readonly root: string
}

/**
 * Finds the processes of this user on this machine, without any network: a directory for each log, a unix socket for each
 * process. A process listens first and then calls on everyone who listens already, so of any two, whichever is later finds
 * the other.
 */
export function createLocalNetwork(options: LocalOptions): Network {
  /** By the logs' discovery keys, in hex. */
  const meetings = new Map<string, Meeting>()
  let closing: Promise<void> | null = null
  return {
    join: async (discoveryKey, isWriter) => {
      if (closing !== null) return
      const meeting = new Meeting(options, discoveryKey, isWriter)
      meetings.set(b4a.toString(discoveryKey, 'hex'), meeting)
      await meeting.open()
    },
    // every directory is looked through all the time
    lose: ignore,
    search: () => {
      const [fault] = [...meetings.values()].flatMap((meeting) => meeting.fault ?? [])
      return { found: 0, reason: fault ?? 'no other process on this machine has it open' }
    },
    isLooking: (discoveryKey) => meetings.get(b4a.toString(discoveryKey, 'hex'))?.isCalling ?? false,
    close: () => {
      closing ??= Promise.all([...meetings.values()].map((meeting) => meeting.close())).then(ignore)
      return closing
    }
  }
}

/**
 * The directory that holds this user's rendezvous directories: `$XDG_RUNTIME_DIR/many-cores`, or one of the user's own
 * under the temporary directory where that is unset, relative or too long.
 */
export function rendezvousRoot(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_RUNTIME_DIR: runtime = '' } = env
  const root = join(runtime, 'many-cores')
  if (isAbsolute(runtime) && b4a.byteLength(root) <= MAX_ROOT_BYTES) return root
  const user = process.getuid?.() ?? 'user'
  const temporary = tmpdir()
  return join(b4a.byteLength(temporary) <= 40 ? temporary : '/tmp', `many-cores-${user}`)
}

/** Throws NodeError `BAD_OPTION` where the sockets in `root` would have paths that are too long. */
export function checkRootLength(root: string): void {
  const bytes = b4a.byteLength(root)
  if (bytes <= MAX_ROOT_BYTES) return
  throw new NodeError(
    'BAD_OPTION',
    `rendezvous ${root} has ${bytes} bytes, but at most ${MAX_ROOT_BYTES} leave room for the names of the sockets in it: name a shorter path`
  )
}

/** Throws unless rendezvous directories can be made in `root`, and sockets in them. */
export async function checkRendezvous(root: string): Promise<void> {
  await makePrivate(root)
  const path = join(root, `.${randomBytes(8).toString('hex')}.sock`)
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

/** A store has one process and one key pair, so the key names the socket: whoever restarts takes its old place. */
function idOf(publicKey: Uint8Array): string {
  return b4a.toString(publicKey.subarray(0, 8), 'hex')
}

/** Somebody who listens. */
interface Neighbour {
  readonly id: string
  readonly isWriter: boolean
  readonly path: string
}

/** One process's place in one rendezvous directory. */
class Meeting {
  readonly #options: LocalOptions
  readonly #isWriter: boolean
  readonly #directory: string
  readonly #id: string
  readonly #path: string
  /** By their other ends, as far as they are known. */
  readonly #sockets = new Map<Socket, string | null>()
  /** Whom not to call, until when. */
  readonly #resting = new Map<string, number>()
  readonly #calls = new Set<Socket>()
  readonly #server: Server
  #timer: NodeJS.Timeout | null = null
  #scanning: Promise<void> | null = null
  /** Why others cannot find us here. */
  fault: string | null = null
  #closed = false

  constructor(options: LocalOptions, discoveryKey: Uint8Array, isWriter: boolean) {
    this.#options = options
    this.#isWriter = isWriter
    this.#directory = join(options.root, b4a.toString(discoveryKey.subarray(0, 8), 'hex'))
    this.#id = idOf(options.keyPair.publicKey)
    this.#path = join(this.#directory, `${this.#id}${isWriter ? WRITER_SUFFIX : '.sock'}`)
    this.#server = createServer(SOCKET_BUFFER, (socket) => this.#take(socket, null)).on('error', ignore)
  }

  /** Whether somebody was called who has neither answered nor refused. */
  get isCalling(): boolean {
    return this.#calls.size > 0
  }

  open(): Promise<void> {
    this.#timer = setInterval(() => void this.#scan(), RESCAN_INTERVAL_MS)
    this.#timer.unref()
    return this.#scan()
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    // a server that is about to listen cannot be closed yet
    await this.#scanning
    await unlink(this.#path).catch(ignore)
    for (const socket of this.#sockets.keys()) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  // Bound under another name and then renamed: between bind and listen a caller would be refused and take us for dead.
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

  /** Never rejects: what goes wrong is tried again next time. */
  #scan(): Promise<void> {
    const end = (fault: string | null): void => {
      this.#scanning = null
      if (fault === this.fault) return
      this.fault = fault
      this.#options.onStatus(usability('local', fault))
    }
    this.#scanning ??= this.#look().then(
      () => end(null),
      (error: unknown) => end(error instanceof Error ? error.message : String(error))
    )
    return this.#scanning
  }

  async #look(): Promise<void> {
    // a peer that met a dead process by this name may have removed the name that we took over meanwhile
    if (!this.#server.listening || !(await exists(this.#path))) await this.#listen()
    const neighbours = await this.#neighbours()
    for (const neighbour of this.#toCall(neighbours)) {
      if (this.#closed) return
      this.#call(neighbour)
    }
  }

  async #neighbours(): Promise<Neighbour[]> {
    const names = (await readdir(this.#directory)).filter((name) => SOCKET.test(name))
    return names
      .map((name) => ({
        id: name.slice(0, 16),
        isWriter: name.endsWith(WRITER_SUFFIX),
        path: join(this.#directory, name)
      }))
      .filter(({ id }) => id !== this.#id)
  }

  /** The writer calls everybody. Everybody else calls the writer, and some: whoever it may be, so that all hang together. */
  #toCall(neighbours: readonly Neighbour[]): Neighbour[] {
    const now = performance.now()
    const connected = new Set(this.#sockets.values())
    for (const [id, until] of this.#resting) if (until <= now) this.#resting.delete(id)
    const isCallable = ({ id }: Neighbour): boolean => !connected.has(id) && !this.#resting.has(id)
    const writers = neighbours.filter(({ isWriter }) => isWriter)
    const others = neighbours.filter(({ isWriter }) => !isWriter)
    const callable = shuffled(others.filter(isCallable))
    const calls = writers.filter(isCallable)
    if (this.#options.isFull()) return calls
    if (this.#isWriter) return [...calls, ...callable]
    const enough = writers.some(({ id }) => connected.has(id)) || calls.length > 0 ? 'withWriter' : 'alone'
    const have = others.filter(({ id }) => connected.has(id)).length
    return [...calls, ...callable.slice(0, Math.max(0, ENOUGH_OTHERS[enough] - have))]
  }

  #call(neighbour: Neighbour): void {
    const { id, path } = neighbour
    const socket = dial({ path, ...SOCKET_BUFFER })
    this.#sockets.set(socket, id)
    this.#calls.add(socket)
    socket.once('close', () => this.#calls.delete(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#sockets.delete(socket)
      // who listened once and refuses now is dead: its name goes, whoever meets it
      if (error.code === 'ECONNREFUSED') unlink(path).catch(ignore)
    })
    socket.once('connect', () => {
      if (this.#closed) socket.destroy()
      else this.#take(socket, neighbour)
    })
  }

  #take(socket: Socket, called: Neighbour | null): void {
    const since = performance.now()
    this.#sockets.set(socket, called?.id ?? null)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const now = performance.now()
      if (called === null || now - since >= REFUSED_MS) return
      // who was called while it called is there by its own call
      if (![...this.#sockets.values()].includes(called.id)) this.#resting.set(called.id, now + REST_MS)
    })
    const stream = new SecretStream(called !== null, socket, { keyPair: this.#options.keyPair })
    this.#options.add({ stream, via: 'local', isWriter: called?.isWriter ?? false })
    stream.opened.then((isOpen) => {
      this.#calls.delete(socket)
      // who was called keeps the name that it was called by
      if (called !== null || !this.#sockets.has(socket)) return
      this.#sockets.set(socket, isOpen ? idOf(stream.remotePublicKey) : null)
    }, ignore)
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

/** Makes a directory that only this user can enter, and refuses one that somebody else could have prepared. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const stat = await lstat(directory)
  const user = process.getuid?.() ?? stat.uid
  if (!stat.isDirectory() || stat.uid !== user || (stat.mode & 0o077) !== 0) {
    throw new Error(`${directory} is not a directory of this user alone (mode 0700)`)
  }
}

/** For endings that have nobody left to tell. */
