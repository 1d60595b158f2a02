import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type { Network, NetworkEvents, PeerKeyPair } from './network.ts'

/** Every process meets the others when it starts; this finds whoever was missed, e.g. after a full backlog. */
const RESCAN_INTERVAL_MS = 3000

/** Room for the longest socket name below in a `sockaddr_un`, which Node cuts off silently at about 107 bytes. */
const MAX_DIRECTORY_BYTES = 80

const SOCKET = /^[0-9a-f]{16}\.sock$/

export interface LocalOptions extends NetworkEvents {
  readonly keyPair: PeerKeyPair
  /** Where the rendezvous directories are; `rendezvousRoot()` unless a test says otherwise. */
  readonly root?: string
}

/**
 * Finds the processes of this user on this machine, without any network: a directory for each log, a unix socket for each
 * process. A process listens first and then calls on everyone who listens already, so of any two, whichever is later finds
 * the other.
 */
export function createLocalNetwork({ keyPair, root, onconnection, onStatus }: LocalOptions): Network {
  const meetings: Meeting[] = []
  let fault: string | null = null
  let closing: Promise<void> | null = null

  const join = async (discoveryKey: Uint8Array): Promise<void> => {
    if (closing !== null) return
    const directory = meetingDirectory(root ?? rendezvousRoot(), discoveryKey)
    const meeting = new Meeting(directory, socketName(keyPair.publicKey), async (socket, isInitiator) => {
      const stream = new SecretStream(isInitiator, socket, { keyPair })
      onconnection({ stream, via: 'local' })
      return (await stream.opened) ? socketName(stream.remotePublicKey) : null
    })
    meetings.push(meeting)
    try {
      await meeting.open()
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error)
      onStatus({ state: 'unreachable', via: 'local', reason: fault })
    }
  }

  const close = (): Promise<void> => {
    closing ??= Promise.all(meetings.map((meeting) => meeting.close())).then(() => undefined)
    return closing
  }

  return {
    join,
    // every directory is looked through all the time
    lose: ignore,
    search: () => ({ found: 0, reason: fault ?? 'no other process on this machine has it open' }),
    isLooking: () => meetings.some((meeting) => meeting.isCalling),
    close
  }
}

/**
 * The directory that holds this user's rendezvous directories: `$XDG_RUNTIME_DIR/many-cores`, or one of the user's own
 * under the temporary directory where that is unset, relative or too long.
 */
export function rendezvousRoot(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR
  if (
    runtime !== undefined &&
    isAbsolute(runtime) &&
    b4a.byteLength(runtime) <= MAX_DIRECTORY_BYTES - 'many-cores'.length - 18
  ) {
    return join(runtime, 'many-cores')
  }
  const user = process.getuid?.() ?? 'user'
  const temporary = tmpdir()
  return join(b4a.byteLength(temporary) <= 40 ? temporary : '/tmp', `many-cores-${user}`)
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

function meetingDirectory(root: string, discoveryKey: Uint8Array): string {
  return join(root, b4a.toString(discoveryKey.subarray(0, 8), 'hex'))
}

/** A store has one process and one key pair, so the key names the socket: whoever restarts takes its old place. */
function socketName(publicKey: Uint8Array): string {
  return `${b4a.toString(publicKey.subarray(0, 8), 'hex')}.sock`
}

/** Takes over a connected socket; resolves to the socket name of who is at its other end. */
type OnSocket = (socket: Socket, isInitiator: boolean) => Promise<string | null>

/** One process's place in one rendezvous directory. */
class Meeting {
  readonly #directory: string
  readonly #name: string
  readonly #onsocket: OnSocket
  readonly #sockets = new Map<Socket, string | null>()
  readonly #calls = new Set<Socket>()
  readonly #server: Server
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(directory: string, name: string, onsocket: OnSocket) {
    this.#directory = directory
    this.#name = name
    this.#onsocket = onsocket
    this.#server = createServer((socket) => this.#take(socket, null))
  }

  /** Whether somebody was called who has neither answered nor refused. */
  get isCalling(): boolean {
    return this.#calls.size > 0
  }

  async open(): Promise<void> {
    await makePrivate(join(this.#directory, '..'))
    await makePrivate(this.#directory)
    await this.#listen()
    await this.#scan()
    if (this.#closed) return
    this.#timer = setInterval(() => void this.#scan().catch(ignore), RESCAN_INTERVAL_MS)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    await unlink(join(this.#directory, this.#name)).catch(ignore)
    for (const socket of this.#sockets.keys()) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  // Bound under another name and then renamed: between bind and listen a caller would be refused and take us for dead.
  async #listen(): Promise<void> {
    const path = join(this.#directory, this.#name)
    const hidden = join(this.#directory, `.${this.#name}`)
    await unlink(hidden).catch(ignore)
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(hidden, () => resolve())
    })
    this.#server.on('error', ignore)
    await rename(hidden, path)
    if (this.#closed) await unlink(path).catch(ignore)
  }

  async #scan(): Promise<void> {
    const connected = new Set(this.#sockets.values())
    for (const name of await readdir(this.#directory)) {
      if (this.#closed) return
      if (SOCKET.test(name) && name !== this.#name && !connected.has(name)) this.#call(name)
    }
  }

  #call(name: string): void {
    const path = join(this.#directory, name)
    const socket = dial(path)
    this.#sockets.set(socket, name)
    this.#calls.add(socket)
    socket.once('close', () => this.#calls.delete(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#sockets.delete(socket)
      // who listened once and refuses now is dead: its name goes, whoever meets it
      if (error.code === 'ECONNREFUSED') unlink(path).catch(ignore)
    })
    socket.once('connect', () => {
      if (this.#closed) socket.destroy()
      else this.#take(socket, name)
    })
  }

  #take(socket: Socket, name: string | null): void {
    this.#sockets.set(socket, name)
    socket.once('close', () => {
      this.#sockets.delete(socket)
    })
    this.#onsocket(socket, name !== null).then((peer) => {
      this.#calls.delete(socket)
      if (this.#sockets.has(socket)) this.#sockets.set(socket, peer)
    }, ignore)
  }
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
function ignore(): void {}
