// Somebody in a network who means no good: `shouter.js ADDRESS…`, with the addresses that the machine has. Does what each line
// of standard input tells, and answers with a line of JSON:
//
//   shout KIND COUNT PER_MS   sends one of `SHOUTS` so often; 0 per ms is as fast as it goes. How many ms it took
//   forge COUNT               announces that many peers, which have the log that was overheard, and answer no call
//   calls                     by address, how many of these peers it has called at once, at most

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { forgery, SHOUTS } from './shouts.ts'

const GROUP = '224.0.0.251'
const PORT = 5353

/** Announced in one datagram, as many as fit into the 9,000 bytes that multicast DNS has. */
const PEERS_A_DATAGRAM = 20

const addresses = process.argv.slice(2)
const callers = await listen()
const log = overhear(addresses[0] ?? '')
const mouths = await Promise.all(addresses.map(open))
const commands = createInterface({ input: process.stdin })
process.stdout.write('"ready"\n')
for await (const line of commands) {
  const [verb, ...args] = line.split('\t')
  const answer = verb === 'shout' ? await shout(args) : verb === 'forge' ? await forge(args) : callers.most
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit()

async function shout([kind = '', count = '0', perMs = '0']: readonly string[]): Promise<number> {
  const make = SHOUTS[kind]
  if (make === undefined) throw new Error(`no shout ${kind}`)
  const began = performance.now()
  for (let sent = 0; sent < Number(count); sent++) {
    await say(make(), sent)
    const due = Number(perMs) === 0 ? 0 : began + sent / Number(perMs)
    if (due > performance.now()) await setTimeout(due - performance.now())
  }
  return performance.now() - began
}

async function forge([count = '0']: readonly string[]): Promise<string> {
  const known = await log
  for (let peers = 0; peers < Number(count); peers += PEERS_A_DATAGRAM) {
    const keys = Array.from({ length: PEERS_A_DATAGRAM }, () => randomBytes(32).toString('hex'))
    await say(forgery(known, keys, callers.port), peers / PEERS_A_DATAGRAM)
    await setImmediate()
  }
  return known
}

/** From one address after the other. */
async function say(datagram: Buffer, turn: number): Promise<void> {
  const mouth = mouths[turn % mouths.length]
  await new Promise<void>((resolve, reject) =>
    mouth?.send(datagram, PORT, GROUP, (error) => (error === null ? resolve() : reject(error)))
  )
}

async function open(address: string): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  socket.setMulticastInterface(address)
  socket.setMulticastLoopback(false)
  return socket
}

/** The name of the first log that somebody announces. */
async function overhear(address: string): Promise<string> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(PORT)
  await once(socket, 'listening')
  socket.addMembership(GROUP, address)
  for (;;) {
    const [heard] = (await once(socket, 'message')) as [Buffer]
    const [, name] = /log=([0-9a-f]{32})/.exec(heard.toString('latin1')) ?? []
    if (name === undefined) continue
    socket.close()
    return name
  }
}

/** Takes calls, and says nothing. */
async function listen(): Promise<{ port: number; most: Record<string, number> }> {
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
