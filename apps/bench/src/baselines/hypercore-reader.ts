// Raw Hypercore: the blocks of one core to standard output, the fastest way that its public methods allow.

import Corestore from 'corestore'
import { parseArguments } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, print, printLive } from './words.ts'

/** With a download of the whole range beside them: reading streams and awaited gets are four times slower. */
const FLYING_GETS = 64

const { storage, exit, bootstrap, socket, positional: key } = parseArguments()
const store = new Corestore(storage)
const core = store.get({ key: Buffer.from(key, 'hex') })
await core.ready()
if (core.discoveryKey === null) throw new Error('the core has no key')
const close = await replicate(store, { bootstrap, socket, topic: core.discoveryKey, serves: false })
endWith(close)
// an update alone returns if no peer has been found yet
await core.get(0)
await core.update({ wait: true })
const end = core.length
core.download({ start: 0, end })
const flying: Promise<Uint8Array>[] = []
for (let index = 0; index < end; index++) {
  flying.push(core.get(index))
  if (flying.length === FLYING_GETS) await printNext()
}
while (flying.length > 0) await printNext()
if (exit) await close()
else await printLive(core, end)

async function printNext(): Promise<void> {
  const block = await flying.shift()
  if (block !== undefined) await print(block)
}
