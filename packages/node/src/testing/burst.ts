// A program for crash.test.ts: publishes numbered lines as fast as it can until it is killed, and prints the durable length. Its
// checkpoint is the number of lines: at every start the two must be the same.

import { openNode, openWriter } from '../index.ts'
import { countAt, lineAt } from './burst-lines.ts'

const [storage = '', rendezvous = ''] = process.argv.slice(2)
const node = await openNode({ storage, local: true, rendezvous })
const writer = await openWriter(node)
const checkpoint = Number(Buffer.from((await writer.checkpoint('length')) ?? '0').toString())
if (checkpoint !== writer.length)
  throw new Error(`the log has ${writer.length} lines, its checkpoint says ${checkpoint}`)
process.stdout.write(`${writer.key}\n${writer.length}\n`)
while (true) {
  const from = writer.length
  const count = countAt(from)
  const lines = Array.from({ length: count }, (_, index) => lineAt(from + index))
  await writer.publish(lines, { checkpoint: { name: 'length', value: `${from + count}` } })
  process.stdout.write(`${writer.length}\n`)
}
