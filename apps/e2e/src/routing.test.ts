import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import test from 'node:test'
import { createRouter, parseRule } from '@many-cores/protocol'
import { randomBytes, seeded, seededLines } from './harness/samples.ts'
import { Sandbox } from './harness/sandbox.ts'
import { linesOfRecord, readStore, splitBlock } from './harness/stored-log.ts'

const RULES = [
  'byte-length:5',
  'byte-length:3,20,100',
  'hash:4',
  'hash:3,field=2,separator=\\t',
  'round-robin:5',
  'prefix:ERROR,WARN,E'
]

/** Lines for every rule: with levels, fields, many lengths, any bytes, and a last line without a newline. */
function* lines(): Generator<Buffer> {
  const random = seeded(3)
  for (const line of seededLines(3000, 4)) {
    const level = ['ERROR', 'WARN', 'INFO', 'E'][random(4)]
    yield line.byteLength < 20 ? line : Buffer.concat([Buffer.from(`${level}\tuser-${random(50)}\t`), line])
  }
  yield randomBytes(20_000, 5)
  yield Buffer.from('no end')
}

for (const text of RULES) {
  test(`${text}: every line is in the core that the rule chooses, and the journal has their order`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const input = Buffer.concat([...lines()])
    await writeFile(sandbox.path('input'), input)
    const writer = await sandbox.writer({ args: ['--exit', '--route', text], stdin: sandbox.path('input') })
    await writer.ends(0)

    const log = await readStore(sandbox.path('writer'))
    assert.deepEqual(log.manifest.routing, parseRule(text))
    const route = createRouter(parseRule(text))
    const lengths = log.cores.map(() => 0)
    const output: Buffer[] = []
    let time = 0
    for (const record of log.records) {
      assert.equal(record.seq, output.length)
      assert.ok(record.time >= time && record.time <= Date.now(), `the time ${record.time}`)
      time = record.time
      for (const [core, length, blocks] of record.at) {
        assert.equal(length, lengths[core], 'a record continues where the one before it ended')
        lengths[core] = length + blocks
      }
      for (const { core, line } of linesOfRecord(record, log)) {
        assert.equal(route(line, output.length), core, `the core of line ${output.length}`)
        output.push(line)
      }
    }
    assert.deepEqual(output, splitBlock(input))
    assert.ok(log.records.length > 1, 'there is more than one batch')
    assert.ok(Math.min(...lengths) > 0, 'every core has blocks')
    assert.deepEqual(
      lengths,
      log.cores.map((blocks) => blocks.length),
      'every block is in the journal'
    )
  })
}
