import { mkdir, readdir } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { atEnd } from '@many-cores/testing'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { Sandbox } from '../harness/sandbox.ts'

/** Replicates `store` with the programs of a sandbox that look up `discoveryKey`, as its writer would. */
export async function serveAsWriter(
  t: TestContext,
  sandbox: Sandbox,
  { store, discoveryKey }: { readonly store: Corestore; readonly discoveryKey: Uint8Array }
): Promise<void> {
  const root = join(sandbox.path('run'), 'many-cores')
  const directory = join(root, b4a.toString(discoveryKey.subarray(0, 8), 'hex'))
  for (const path of [root, directory]) await mkdir(path, { recursive: true, mode: 0o700 })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    replicate(store, socket, false)
  })
  await new Promise<void>((resolve) =>
    server.listen(join(directory, '0123456789abcdef.main'), () => resolve())
  )
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

/** The socket of the only program in a sandbox. */
export async function socketOf(sandbox: Sandbox): Promise<string> {
  const root = join(sandbox.path('run'), 'many-cores')
  const [directory = ''] = await readdir(root)
  const [name = ''] = (await readdir(join(root, directory))).filter((file) => !file.startsWith('.'))
  return join(root, directory, name)
}

/** Connects to a program's socket, once its backlog has room. */
export async function intrude(t: TestContext, path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    const fault = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      socket.once('connect', () => resolve(null))
      socket.once('error', resolve)
    })
    if (fault === null) {
      atEnd(t, () => socket.destroy())
      return socket.on('error', ignore)
    }
    if (fault.code !== 'EAGAIN') throw fault
    await setImmediate()
  }
}

/** Replicates `store` over `socket`, with plain Hypercore. */
export function replicate(store: Corestore, socket: Socket, isInitiator: boolean): void {
  const stream = store.replicate(isInitiator)
  socket.on('error', ignore)
  stream.noiseStream.on('error', ignore)
  socket.pipe(stream as unknown as NodeJS.WritableStream).on('error', ignore)
  stream.pipe(socket)
}

/** Resolves when the peer has closed the connection. */
export function closed(socket: Socket): Promise<void> {
  socket.resume()
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))
}

function ignore(): void {}
