// A program for crash.test.ts: publishes numbered lines as fast as it can until it is killed, and says what is durable. Its
// checkpoint is the number of lines: at every start the two must be the same.

import { openNode, openWriter } from '../index.ts'

const [storage = ''] = process.argv.slice(2)
const node = await openNode({ storage, local: true, rendezvous: `${storage}-meet` })
const writer = await openWriter(node)
const checkpoint = Number(Buffer.from((await writer.checkpoint('length')) ?? '0').toString())
if (checkpoint !== writer.length)
  throw new Error(`the log has ${writer.length} lines, its checkpoint says ${checkpoint}`)
process.stdout.write(`${writer.length}\n`)
while (true) {
  const from = writer.length
  // batches of one line to some thousands, in both cores
  const count = 1 + ((from * 7919) % 3000)
  const lines = Array.from({ length: count }, (_, index) => lineAt(from + index))
  await writer.publish(lines, { checkpoint: { name: 'length', value: `${from + count}` } })
  process.stdout.write(`${writer.length}\n`)
}

function lineAt(position: number): string {
  return position % 3 === 0 ? `${position % 1000}\n` : `line ${position}\n`
}
