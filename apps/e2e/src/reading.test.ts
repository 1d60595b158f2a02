import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import type { Writer } from '@many-cores/node'
import { Output } from './harness/output.ts'
import type { Program } from './harness/program.ts'
import { linesOf } from './harness/samples.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'

/** Publishes 1000 lines in ten batches, no two in the same ms. Resolves to the time when each was durable. */
async function publishTimed(writer: Writer): Promise<number[]> {
  const times: number[] = []
  for (let from = 0; from < 1000; from += 100) {
    while (Date.now() <= (times.at(-1) ?? 0)) await new Promise(setImmediate)
    await writer.publish(linesOf(from, from + 100))
    times.push(Date.now())
  }
  return times
}

test('the reader starts and ends at the positions and times that its options name', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const [first = 0, , third = 0] = await publishTimed(writer)
  const iso = new Date(first + 1).toISOString()
  const runs: [readonly string[], number, number][] = [
    [['--from', 'start', '--exit'], 0, 1000],
    [['--from', '150', '--until', '1000'], 150, 1000],
    [['--from', '2', '--exit'], 2, 1000],
    [['--from', '1000', '--exit'], 1000, 1000],
    [['--from', '-3', '--count', '2'], 997, 999],
    [['--from', '-9999', '--exit'], 0, 1000],
    [['--from', '-10', '--until', '-2'], 990, 998],
    [['--from', '990', '--until', 'end'], 990, 1000],
    [['--from', '0', '--until', `@${third + 1}`], 0, 300],
    [['--from', `@${iso}`, '--until', '205'], 100, 205],
    [['--since', String(third + 1), '--exit'], 300, 1000],
    [['--since', '1h', '--count', '5'], 0, 5],
    [['--tail', '10', '--count', '3'], 990, 993],
    [['--tail', '10', '--exit'], 990, 1000],
    [['--tail', '0', '--exit'], 0, 0],
    [['--from', '-0', '--exit'], 0, 0],
    [['--from', '990', '--until', '-0'], 990, 1000],
    [['--from', 'start', '--count', '0'], 0, 0]
  ]
  for (const [index, [args, from, to]] of runs.entries()) {
    const reader = sandbox.reader(writer.key, { args: [...args, '--raw'], storage: `r${index}` })
    const { stdout } = await ended(reader)
    assert.equal(stdout.text, linesOf(from, to).join(''), args.join(' '))
  }
})

test('--count 0 exits at once, even if the log cannot be found', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { stdout } = await ended(
    sandbox.reader('ab'.repeat(32), { args: ['--count', '0', '--timeout', '0'] })
  )
  assert.equal(stdout.text, '')
})

test('a format on the command line overrides one from the environment', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish('line\n')
  const writer = await sandbox.writer()
  const reader = sandbox.reader(key, { args: ['--json', '--exit'], env: { MANY_CORES_RAW: '1' } })
  const { stdout } = await ended(reader)
  assert.equal((JSON.parse(stdout.text) as { text: unknown }).text, 'line')
  await writer.kill()
})

test('without --from, the reader continues where it stopped, in each --group; with --tail, it continues live', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 2000))
  const read = async (...args: readonly string[]): Promise<string> =>
    (await ended(sandbox.reader(writer.key, { args: ['--raw', ...args] }))).stdout.text
  // more than one write: the cursor has to follow
  assert.equal(await read('--count', '1500'), linesOf(0, 1500).join(''))
  assert.equal(await read('--group', 'other', '--count', '10'), linesOf(0, 10).join(''))
  assert.equal(await read('--count', '1'), linesOf(1500, 1501).join(''))
  assert.equal(await read('--exit'), linesOf(1501, 2000).join(''))
  assert.equal(await read('--group', 'other', '--exit'), linesOf(10, 2000).join(''))
  const live = await sandbox.reader(writer.key, { args: ['--raw', '--tail', '2', '--count', '5'] })
  // it has found the end before a new line is published
  await live.stdout.firstLines(1)
  for (let position = 2000; position < 2003; position++) await writer.publish(linesOf(position, position + 1))
  await live.ends(0)
  assert.equal(live.stdout.text, linesOf(1998, 2003).join(''))
})

test('positions continue when the writer restarts', async (t) => {
  const sandbox = await Sandbox.open(t)
  for (const line of ['zero\n', 'one\n']) await sandbox.publish(line)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--json', '--count', '3'] })
  await writer.write('two\n')
  await reader.ends(0)
  assert.deepEqual(
    reader.stdout.lines.map((line) => {
      const { position, text } = JSON.parse(line) as { position: number; text: string }
      return [position, text]
    }),
    [
      [0, 'zero'],
      [1, 'one'],
      [2, 'two']
    ]
  )
})

test('--from -1 and --from end count from the end of the log, not of the reader’s outdated store', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write('old\n')
  for (const storage of ['last', 'end']) {
    const early = await sandbox.reader(key, { args: ['--raw', '--count', '1'], storage })
    await early.ends(0)
  }
  await writer.write('newer\nnewest\n')
  const witness = await sandbox.reader(key, { args: ['--raw', '--count', '3'], storage: 'witness' })
  await witness.ends(0)

  const last = await sandbox.reader(key, { args: ['--raw', '--from', '-1', '--count', '1'], storage: 'last' })
  await last.ends(0)
  assert.equal(last.stdout.text, 'newest\n')
  for (const storage of ['end', 'fresh']) {
    const reader = await sandbox.reader(key, { args: ['--raw', '--from', 'end'], storage })
    assert.match(await firstOf(reader, writer), /^later \d+$/)
  }
})

/** The first line that `reader` prints while `writer` publishes one every 20 ms: only that shows its position. */
async function firstOf(reader: Program, writer: Program): Promise<string> {
  let count = 0
  const typing = setInterval(() => void writer.write(`later ${count++}\n`), 20)
  try {
    const [first = ''] = await reader.stdout.firstLines(1)
    return first
  } finally {
    clearInterval(typing)
  }
}

test('options that exclude each other, and invalid values, are usage errors: 2', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = 'ab'.repeat(32)
  const refusals: [readonly string[], RegExp][] = [
    [['--from', '3', '--tail', '3'], /--from and --tail cannot be combined/],
    [['--tail', '3', '--since', '1h'], /--tail and --since cannot be combined/],
    [['--raw', '--json'], /--raw and --json cannot be combined/],
    [['--raw', '--format', '%s'], /--raw and --format cannot be combined/],
    [['--since', 'yesterday'], /invalid time 'yesterday'/],
    [['--from', '@2026-13-01'], /invalid time/],
    [['--until', 'stored'], /--until: invalid position 'stored': expected end, a position/],
    [['--format', '%z'], /invalid '%z': expected one of %s/],
    [['--format', '\\q'], /invalid '\\q'/]
  ]
  const runs = refusals.map(async ([args, message]) => {
    const { stderr, stdout } = await ended(sandbox.reader(key, { args }), 2)
    assert.match(stderr.text, message)
    assert.equal(stdout.length, 0)
  })
  await Promise.all(runs)
})

test('--only and --except accept names and patterns', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter({ routing: { rule: 'prefix', prefixes: ['error', 'warn'] } })
  await writer.publish(['error 1\n', 'hello\n', 'warn 1\n', 'error 2\n', 'hi\n'])
  assert.deepEqual(
    writer.manifest.cores.map((core) => core.name),
    ['error', 'warn', 'rest']
  )
  const print = async (...args: readonly string[]): Promise<string> => {
    const all = ['--from=start', '--exit', '--format', '%o %s\\n']
    return (await ended(sandbox.reader(writer.key, { args: [...args, ...all] }))).stdout.text
  }
  assert.equal(await print('--only', 'rest'), '1 hello\n4 hi\n')
  assert.equal(await print('--only', 'w*'), '2 warn 1\n')
  // a prefix may be in upper case, the core's name is not
  assert.equal(await print('--only', 'WARN'), '2 warn 1\n')
  assert.equal(await print('--only', 'error', '--only', 'war?'), '0 error 1\n2 warn 1\n3 error 2\n')
  assert.equal(await print('--except', '*r*t'), '0 error 1\n2 warn 1\n3 error 2\n')
  assert.equal(await print('--only', '*r*', '--except', 'rest', '--except', 'error'), '2 warn 1\n')
  for (const args of [
    ['--only', 'wran'],
    ['--only', 'nobody*'],
    ['--except', '*']
  ]) {
    const { stderr } = await ended(sandbox.reader(writer.key, { args }), 2)
    assert.match(
      stderr.text,
      args[0] === '--only' ? /no such core; it has error, warn, rest/ : /leave no core/
    )
  }
})

test('five readers that start at random moments print the same bytes', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const total = 20_000
  await writer.publish(linesOf(0, 100))
  const joined: Promise<Program>[] = Array.from({ length: 5 }, async (_, index) => {
    await elapse(randomInt(0, 500))
    const args = ['--raw', '--from', '50', '--until', String(total)]
    return await sandbox.reader(writer.key, { args, storage: `r${index}` })
  })
  while (writer.length < total) {
    const count = Math.min(total - writer.length, randomInt(1, 300))
    await writer.publish(linesOf(writer.length, writer.length + count))
  }
  const expected = Buffer.from(linesOf(50, total).join(''))
  for (const reader of await Promise.all(joined)) {
    await reader.ends(0)
    const { bytes } = reader.stdout
    assert.ok(bytes.equals(expected), `${bytes.byteLength} bytes, not the ${expected.byteLength} expected`)
  }
})

test('a key can be hex in any case, z-base-32, or a pear:// link', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['found\n'])
  for (const spelling of [`pear://${writer.key.toUpperCase()}`, z32Of(writer.key)]) {
    const args = ['--raw', '--exit', '--from', 'start']
    const { stdout } = await ended(sandbox.reader(spelling, { args }))
    assert.equal(stdout.text, 'found\n')
  }
})

test('--quiet prints no messages, and options can be set in the environment', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['one\n', 'two\n'])
  const env = { MANY_CORES_RAW: '1', MANY_CORES_FROM: 'start', MANY_CORES_COUNT: '1' }
  const reader = await ended(sandbox.reader(writer.key, { args: ['--quiet'], env }))
  assert.equal(reader.stdout.text, 'one\n')
  assert.equal(reader.stderr.text, '')
})

test('a reader ends with a summary of what it delivered', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 1000))
  const bytes = Buffer.byteLength(linesOf(0, 1).join(''))
  const last = async (...args: readonly string[]): Promise<string | undefined> =>
    (await ended(sandbox.reader(writer.key, { args }))).stderr.lines.at(-1)
  assert.match(
    (await last('--text', '--count', '1')) ?? '',
    new RegExp(`^reader: 1 line, ${bytes} B in [\\d.]+ s`)
  )
  assert.match(
    (await last('--output', sandbox.path('copy'), '--exit')) ?? '',
    /^reader: 1,000 lines, \S+ kB in /
  )
  assert.equal(await last('--from', 'end', '--exit'), 'reader: no lines')
  assert.equal(await last('--from', 'end', '--exit', '--quiet'), undefined)
  const live = await sandbox.reader(writer.key, { args: ['--from', '-5'] })
  await live.stdout.firstLines(5)
  live.signal('SIGINT')
  await live.ends(130)
  assert.match(live.stderr.text, /^reader: 5 lines, /m)
})

/** Converts hex to z-base-32, which has five bits per character. */
function z32Of(hex: string): string {
  const bits = Array.from(Buffer.from(hex, 'hex'), (byte) => byte.toString(2).padStart(8, '0')).join('')
  const fives = bits.match(/.{1,5}/g) ?? []
  return fives
    .map((five) => 'ybndrfg8ejkmcpqxot1uwisza345h769'[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('')
}

test('--tail and -N count the lines of the selected cores', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter({ routing: { rule: 'prefix', prefixes: ['error'] } })
  for (let batch = 0; batch < 10; batch++)
    await writer.publish([`error ${batch}\n`, 'ok\n', ...linesOf(0, 50)])
  const runs: [readonly string[], number, number][] = [
    [['--tail', '5', '--exit'], 5, 10],
    [['--tail', '50', '--exit'], 0, 10],
    [['--from', '-3', '--until', '-1'], 7, 9],
    [['--tail', '2', '--count', '2'], 8, 10]
  ]
  for (const [index, [args, from, to]] of runs.entries()) {
    const reader = sandbox.reader(writer.key, {
      args: ['--raw', '--only', 'error', ...args],
      storage: `r${index}`
    })
    const expected = Array.from({ length: to - from }, (_, line) => `error ${from + line}\n`)
    assert.equal((await ended(reader)).stdout.text, expected.join(''), args.join(' '))
  }
})

test('a position beyond the end: with --exit 2, without it a wait that is reported', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const { stderr } = await ended(sandbox.reader(writer.key, { args: ['--from', '999', '--exit'] }), 2)
  assert.match(stderr.text, /^reader: position 999 is beyond the end of the log, which has 100 lines$/m)
  await ended(sandbox.reader(writer.key, { args: ['--from', '100', '--exit'] }))

  const live = await sandbox.reader(writer.key, { args: ['--raw', '--from', '102', '--count', '1'] })
  await live.stderr.says('position 102 is beyond the end of the log, which has 100 lines: waiting for it')
  await writer.publish(linesOf(100, 103))
  await live.ends(0)
  assert.equal(live.stdout.text, linesOf(102, 103).join(''))
})

test('--exit without a peer says once what it waits for, and how long', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish(linesOf(0, 10).join(''))
  const writer = await sandbox.writer()
  await ended(sandbox.reader(key, { args: ['--raw', '--count', '5'] }))
  writer.signal('SIGTERM')
  await writer.ends(143)
  const note = /^reader: no peer yet: waiting for up to 5 s \(--timeout\) [^\n]*the end of the log$/gm
  for (const storage of ['reader', 'new']) {
    const args = ['--raw', '--exit', '--timeout', '5']
    const { stderr } = await ended(sandbox.reader(key, { storage, args }), 3)
    assert.equal(stderr.text.match(note)?.length, 1, stderr.text)
  }
  const quick = sandbox.reader(key, { args: ['--raw', '--exit', '--timeout', '1'] })
  assert.doesNotMatch((await ended(quick, 3)).stderr.text, /no peer yet/)
})

/** The cursors of a log in the reader's store. */
async function cursorsOf(sandbox: Sandbox, key: string): Promise<Record<string, number>> {
  const { stdout } = await ended(sandbox.reader(key, { command: 'cursors', args: ['--json'] }))
  const rows = stdout.lines.map((line) => JSON.parse(line) as { name: string; position: number })
  return Object.fromEntries(rows.map(({ name, position }) => [name, position]))
}

test('looking at a log moves no cursor; going on does, and so does a named cursor', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 1000))
  const read = async (...args: readonly string[]): Promise<void> =>
    void (await ended(sandbox.reader(writer.key, { args: ['--raw', ...args] })))
  const looks = [
    ['--from', 'start', '--count', '3'],
    ['--tail', '2', '--exit'],
    ['--since', '1h', '--count', '2'],
    ['--from', '-5', '--until', 'end'],
    ['--only', 'short', '--exit'],
    ['--except', 'short', '--count', '1']
  ]
  for (const args of looks) await read(...args)
  assert.deepEqual(await cursorsOf(sandbox, writer.key), {})
  await read('--count', '6')
  assert.deepEqual(await cursorsOf(sandbox, writer.key), { default: 6 })
  for (const args of looks) await read(...args)
  assert.deepEqual(await cursorsOf(sandbox, writer.key), { default: 6 })
  const moves: [readonly string[], string, number][] = [
    [['--count', '3'], 'default', 9],
    [['--from', 'stored', '--until', '20'], 'default', 20],
    [['--group', 'named', '--tail', '2', '--exit'], 'named', 1000],
    [['--group', 'named', '--from', 'start', '--count', '3'], 'named', 3],
    [['--group', 'default', '--from', '30', '--count', '5'], 'default', 35],
    [['--exit'], 'default', 1000]
  ]
  for (const [args, name, position] of moves) {
    await read(...args)
    assert.equal((await cursorsOf(sandbox, writer.key))[name], position, args.join(' '))
  }
})

test('a cursor that was begun with some cores is refused for others, so that no line is skipped', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['1\n', 'long line\n', '2\n'])
  const read = (code: number, ...args: readonly string[]): Promise<Program> =>
    ended(sandbox.reader(writer.key, { args: ['--raw', '--exit', ...args] }), code)
  const first = await read(0, '--group', 'g', '--only', 'short')
  assert.equal(first.stdout.text, '1\n2\n')
  for (const args of [[], ['--only', 'long'], ['--from', 'start']]) {
    const { stderr } = await read(2, '--group', 'g', ...args)
    assert.match(stderr.text, /cursor g was begun with core short, and now is .*: lines would be skipped/)
  }
  await writer.publish(['3\n', 'another\n'])
  assert.equal((await read(0, '--group', 'g', '--except', 'long')).stdout.text, '3\n')
  await ended(sandbox.reader(writer.key, { command: 'cursors', args: ['--set', 'g=0'] }))
  await read(2, '--group', 'g')
  assert.equal((await read(0, '--group', 'g', '--only', 's*')).stdout.text, '1\n2\n3\n')
  // a cursor with all cores
  await read(0)
  await read(2, '--group', 'default', '--only', 'short')
})

test('a reader says where it continues, and that everything was delivered', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 2000))
  const stderrOf = async (...args: readonly string[]): Promise<string> =>
    (await ended(sandbox.reader(writer.key, { args: ['--raw', ...args] }))).stderr.text
  assert.doesNotMatch(await stderrOf('--count', '1234'), /continuing|starting/)
  assert.match(await stderrOf('--count', '1'), /^reader: continuing at 1,234; --from start for everything$/m)
  assert.match(await stderrOf('--only', 'long', '--exit'), /continuing at 1,235; the cursor does not move/)
  assert.doesNotMatch(await stderrOf('--exit'), /nothing new/)
  const nothing = /^reader: nothing new: everything before 2,000 was delivered earlier$/m
  assert.match(await stderrOf('--exit'), nothing)
  assert.equal(await stderrOf('--exit', '--quiet'), '')
  assert.doesNotMatch(await stderrOf('--tail', '1', '--exit'), /continuing|nothing new/)
  const live = await sandbox.reader(writer.key, { args: ['--raw'] })
  await live.stderr.says('nothing new: everything before 2,000 was delivered earlier')
})

test('after reader | head, the lines that head did not read come again', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  const lines = linesOf(0, 60_000)
  await writer.publish(lines)
  for (const count of [3, 40_000]) {
    const { readEnd, writeEnd } = await sandbox.pipe()
    const head = spawn('head', ['-n', String(count)], { stdio: [readEnd, 'pipe', 'inherit'] })
    const output = new Output('head', head.stdout ?? Readable.from([]))
    await sandbox.closeDescriptor(readEnd)
    await ended(sandbox.reader(writer.key, { args: ['--raw'], stdout: writeEnd }))
    await output.until('its end', () => output.hasEnded)
    assert.equal(output.text, lines.slice(0, count).join(''))
    const { default: position = 0 } = await cursorsOf(sandbox, writer.key)
    assert.ok(position <= count, `${position} of ${count}`)
    t.diagnostic(`head read ${count} lines, the cursor is at ${position}`)
  }
  const { stdout } = await ended(sandbox.reader(writer.key, { args: ['--raw', '--exit'] }))
  assert.ok(lines.join('').endsWith(stdout.text) && stdout.lineCount >= 20_000, `${stdout.lineCount} lines`)
})
