// What every program on Hypercore does before it can do anything: load the modules, open the store and a core.

import Corestore from 'corestore'
import 'hyperswarm'
import { parseArguments } from './arguments.ts'
import { endWith, sayKey } from './words.ts'

const { storage } = parseArguments()
const store = new Corestore(storage)
const core = store.get({ name: 'core-1' })
await core.ready()
endWith(() => store.close())
sayKey(core.key ?? Buffer.alloc(32))
