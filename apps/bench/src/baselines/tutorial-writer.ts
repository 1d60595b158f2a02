// The how-to's writer, with its losses mended in the plainest way: lines instead of chunks, and each append awaited.

import Corestore from 'corestore'
import { parseArguments, readBatches } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, sayKey, sayPublished } from './words.ts'

const { storage, exit, bootstrap, socket } = parseArguments()
const store = new Corestore(storage)
const core1 = store.get({ name: 'core-1', valueEncoding: 'json' })
const core2 = store.get({ name: 'core-2' })
const core3 = store.get({ name: 'core-3' })
await Promise.all([core1.ready(), core2.ready(), core3.ready()])
const { key, discoveryKey } = core1
if (key === null || discoveryKey === null) throw new Error('the core has no key')
const close = await replicate(store, { bootstrap, socket, topic: discoveryKey, serves: true })
endWith(close)
if (core1.length === 0) {
  await core1.append({ otherKeys: [core2, core3].map((core) => Buffer.from(core.key ?? '').toString('hex')) })
}
sayKey(key)
for await (const [line = Buffer.alloc(0)] of readBatches('line')) {
  await (line.length < 5 ? core2 : core3).append(line)
}
sayPublished(core2.length + core3.length)
if (exit) await close()
