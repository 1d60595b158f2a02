// A raw Noise stream over UDX: what comes goes to standard output.

import { parseArguments } from './arguments.ts'
import { openLink } from './link.ts'
import { endWith } from './words.ts'

const { exit, bootstrap, socket, positional: key } = parseArguments()
let end: () => void = () => {}
const ended = new Promise<void>((resolve) => {
  end = resolve
})
const unlink = await openLink({
  bootstrap,
  socket,
  topic: Buffer.from(key, 'hex'),
  serves: false,
  onStream: (stream) => {
    stream.on('data', (chunk) => process.stdout.write(chunk))
    stream.once('end', end)
    stream.once('close', end)
  }
})
endWith(unlink)
await ended
if (exit) await unlink()
