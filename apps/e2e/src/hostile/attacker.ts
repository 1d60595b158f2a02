// An attacker in the local network: `attacker.js ADDRESS…`, with the addresses of its machine. Reads a command per
// line from standard input, and answers each with a line of JSON:
//
//   send KIND COUNT PER_MS   sends COUNT messages of this kind of `MESSAGES`, as fast as possible if PER_MS is 0;
//                            answers with the ms that it took
//   forge COUNT              announces COUNT peers that claim to have the log that it found, and never answer;
//                            answers with the log's name
//   calls                    answers with the most connections to these peers at the same time, for each address

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { forgery, MESSAGES } from './mdns-messages.ts'

const GROUP = '224.0.0.251'
const PORT = 5353

/** Peers in one datagram: as many as fit into the 9,000 bytes of a multicast DNS message. */
const PEERS_A_DATAGRAM = 20

const addresses = process.argv.slice(2)
const callers = await acceptCalls()
const log = findLog(addresses[0] ?? '')
const sockets = await Promise.all(addresses.map(openSocket))
const commands = createInterface({ input: process.stdin })
process.stdout.write('"ready"\n')
for await (const line of commands) {
  const [verb, ...args] = line.split('\t')
  const answer = verb === 'send' ? await sendMany(args) : verb === 'forge' ? await forge(args) : callers.most
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit()

async function sendMany([kind = '', count = '0', perMs = '0']: readonly string[]): Promise<number> {
  const make = MESSAGES[kind]
  if (make === undefined) throw new Error(`unknown kind of message: ${kind}`)
  const began = performance.now()
  for (let sent = 0; sent < Number(count); sent++) {
    await send(make(), sent)
    const due = Number(perMs) === 0 ? 0 : began + sent / Number(perMs)
    if (due > performance.now()) await setTimeout(due - performance.now())
  }
  return performance.now() - began
}

async function forge([count = '0']: readonly string[]): Promise<string> {
  const known = await log
  for (let peers = 0; peers < Number(count); peers += PEERS_A_DATAGRAM) {
    const keys = Array.from({ length: PEERS_A_DATAGRAM }, () => randomBytes(32).toString('hex'))
    await send(forgery(known, keys, callers.port), peers / PEERS_A_DATAGRAM)
    await setImmediate()
  }
  return known
}

/** Sends from each address in turn. */
async function send(datagram: Buffer, turn: number): Promise<void> {
  const socket = sockets[turn % sockets.length]
  await new Promise<void>((resolve, reject) =>
    socket?.send(datagram, PORT, GROUP, (error) => (error === null ? resolve() : reject(error)))
  )
}

async function openSocket(address: string): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  socket.setMulticastInterface(address)
  socket.setMulticastLoopback(false)
  return socket
}

/** Resolves to the name of the first log that a peer announces. */
async function findLog(address: string): Promise<string> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(PORT)
  await once(socket, 'listening')
  socket.addMembership(GROUP, address)
  for (;;) {
    const [message] = (await once(socket, 'message')) as [Buffer]
    const [, name] = /log=([0-9a-f]{32})/.exec(message.toString('latin1')) ?? []
    if (name === undefined) continue
    socket.close()
    return name
  }
}

/** Accepts connections, and sends nothing. */
async function acceptCalls(): Promise<{ port: number; most: Record<string, number> }> {
  const open = new Map<string, number>()
  const most: Record<string, number> = {}
  const server = createServer((socket) => {
    const { remoteAddress: caller = '' } = socket
    open.set(caller, (open.get(caller) ?? 0) + 1)
    most[caller] = Math.max(most[caller] ?? 0, open.get(caller) ?? 0)
    socket.resume().on('error', () => {})
    socket.once('close', () => open.set(caller, (open.get(caller) ?? 1) - 1))
  })
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  return { port: (server.address() as { port: number }).port, most }
}
