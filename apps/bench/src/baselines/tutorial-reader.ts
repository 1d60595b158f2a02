// The how-to's reader, with its losses mended in the plainest way: every block of each core, one after the other.

import Corestore from 'corestore'
import { parseArguments } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, printLive } from './words.ts'

const { storage, bootstrap, socket, positional: key } = parseArguments()
const store = new Corestore(storage)
const core = store.get({ key: Buffer.from(key, 'hex'), valueEncoding: 'json' })
await core.ready()
if (core.discoveryKey === null) throw new Error('the core has no key')
const close = await replicate(store, { bootstrap, socket, topic: core.discoveryKey, serves: false })
endWith(close)
const { otherKeys } = (await core.get(0)) as { readonly otherKeys: readonly string[] }
const others = otherKeys.map((otherKey) => store.get({ key: Buffer.from(otherKey, 'hex') }))
await Promise.all(others.map((other) => printLive(other, 0)))
