// Raw Hypercore, two cores: each line is appended to both, as a log has a data core and a journal. Block 0 of the first
// names the second.

import Corestore from 'corestore'
import { parseArguments, readBatches } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, sayKey, sayPublished } from './words.ts'

const { storage, unit, exit, bootstrap, socket } = parseArguments()
const store = new Corestore(storage)
const first = store.get({ name: 'log' })
const second = store.get({ name: 'log-2' })
await Promise.all([first.ready(), second.ready()])
const { key, discoveryKey } = first
if (key === null || discoveryKey === null || second.key === null) throw new Error('the cores have no keys')
await first.append(second.key)
const close = await replicate(store, { bootstrap, socket, topic: discoveryKey, serves: true })
endWith(close)
sayKey(key)
for await (const batch of readBatches(unit)) await Promise.all([first.append(batch), second.append(batch)])
sayPublished(second.length)
if (exit) await close()
