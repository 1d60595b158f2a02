// A raw Noise stream over UDX: a file goes to everyone who connects, neither signed nor stored.

import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type SecretStream from '@hyperswarm/secret-stream'
import { parseArguments } from './arguments.ts'
import { openLink } from './link.ts'
import { endWith, sayKey, sayPublished } from './words.ts'

const { bootstrap, socket, positional: file } = parseArguments()
const topic = randomBytes(32)
const unlink = await openLink({
  bootstrap,
  socket,
  topic,
  serves: true,
  onStream: (stream) => void send(stream).catch(ignore)
})
endWith(unlink)
sayKey(topic)
sayPublished(0)

async function send(stream: SecretStream): Promise<void> {
  const gone = new Promise((resolve) => stream.once('close', () => resolve(null)))
  // the default, 64 KiB a chunk
  for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
    if (stream.destroyed) return
    if (stream.write(chunk)) continue
    await Promise.race([gone, new Promise((resolve) => stream.once('drain', () => resolve(null)))])
  }
  stream.end()
}

function ignore(): void {}
