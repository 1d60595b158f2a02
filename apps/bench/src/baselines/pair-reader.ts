// Raw Hypercore, two cores: a line is printed once both have it, each asked for before it exists.

import Corestore from 'corestore'
import { parseArguments } from './arguments.ts'
import { replicate } from './link.ts'
import { endWith, print } from './words.ts'

const { storage, bootstrap, socket, positional: key } = parseArguments()
const store = new Corestore(storage)
const first = store.get({ key: Buffer.from(key, 'hex') })
await first.ready()
if (first.discoveryKey === null) throw new Error('the core has no key')
const close = await replicate(store, { bootstrap, socket, topic: first.discoveryKey, serves: false })
endWith(close)
const second = store.get({ key: await first.get(0) })
for (let index = 0; ; index++) {
  const [, line] = await Promise.all([first.get(index + 1), second.get(index)])
  await print(line)
}
