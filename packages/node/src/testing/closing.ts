// `closing.js DIRECTORY WAY [PORT]`: opens a reader or a writer and closes its node at once, a little later each time. Exits by
// itself unless it leaks something.

import { join } from 'node:path'
import { type NodeOptions, openNode, openReader, openWriter } from '../index.ts'

const ROUNDS = 24

/** Without a leak, the process exits within this time. */
const EXIT_TIMEOUT_MS = 10_000

const KEY = 'ab'.repeat(32)

const [directory = '', way, port] = process.argv.slice(2)
const network: Partial<NodeOptions> =
  way === 'local' ? { local: true } : { lan: way === 'lan', bootstrap: [`127.0.0.1:${port}`] }

for (let round = 0; round < ROUNDS; round++) {
  const node = await openNode({
    storage: join(directory, `${round}`),
    rendezvous: join(directory, 'meet'),
    ...network
  })
  const opening = round % 2 === 0 ? openReader(node, KEY, { timeout: 0 }) : openWriter(node)
  const opened = opening.catch(() => {})
  for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve))
  await node.close()
  await opened
}

setTimeout(() => {
  process.stdout.write(process.getActiveResourcesInfo().join(' '))
  process.exit(1)
}, EXIT_TIMEOUT_MS).unref()
