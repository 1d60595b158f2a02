// Raw Hypercore: the input becomes the blocks of one core, which is served.

import Corestore from 'corestore'
import { parseArguments, readBatches } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, sayKey, sayPublished } from './words.ts'

const { storage, unit, exit, bootstrap, socket } = parseArguments()
const store = new Corestore(storage)
const core = store.get({ name: 'log' })
await core.ready()
const { key, discoveryKey } = core
if (key === null || discoveryKey === null) throw new Error('the core has no key')
const close = await replicate(store, { bootstrap, socket, topic: discoveryKey, serves: true })
endWith(close)
sayKey(key)
for await (const batch of readBatches(unit)) await core.append(batch)
sayPublished(core.length)
if (exit) await close()
