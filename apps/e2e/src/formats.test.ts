import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { builtFile } from './harness/program.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'

const LINES = [
  Buffer.from('hi\n'),
  Buffer.from('grüße, \x1b[31mred\x07\n'),
  Buffer.from([0xff, 0xfe, 0x0d, 0x0a]),
  Buffer.from('no end')
]

test('the text formats escape control characters; --raw and %s print the exact bytes', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(LINES)
  const print = async (args: readonly string[], env: Record<string, string> = {}): Promise<Buffer> => {
    const all = ['--from=start', '--exit']
    return (await ended(sandbox.reader(writer.key, { args: [...args, ...all], env }))).stdout.bytes
  }
  const [short = '', long = ''] = writer.manifest.cores.map((core) => core.key)
  const heads = [short, long, short, long].map((key, index) => `Block ${index >> 1} in Core ${key}: `)
  const bodies = ['hi', 'grüße, \\x1b[31mred\\x07', '\ufffd\ufffd', 'no end']
  const text = heads.map((head, index) => `${head}${bodies[index]}\n`).join('')
  assert.equal((await print([])).toString(), text.replaceAll('Block 1', 'Block 0'))
  assert.ok((await print(['--raw'])).equals(Buffer.concat(LINES)))

  const [first, second] = (await print(['--text'])).toString().split('\n')
  assert.deepEqual([first, second], ['     0  short  hi', '     1  long   grüße, \\x1b[31mred\\x07'])
  const colored = (await print(['--text'], { FORCE_COLOR: '1', NO_COLOR: '1' })).toString().split('\n')
  assert.equal(colored[0], '     0  \x1b[36mshort\x1b[39m  hi')

  const formatted = await print(['--format', '%o|%p|%k|%K|%b|%S|%t|%%|\\x41\\0\\t|ü|%s\\r\\n'])
  const rows = LINES.map((line, position) => {
    const [core, name] = position % 2 === 0 ? [0, 'short'] : [1, 'long']
    const bare = line.at(-1) === 0x0a ? line.subarray(0, -1) : line
    const head = `${position}|${core}|${name}|${name.length}|0|${bare.byteLength}|${writer.key}|%|A\0\t|ü|`
    return Buffer.concat([Buffer.from(head), bare, Buffer.from('\r\n')])
  })
  assert.ok(formatted.equals(Buffer.concat(rows)), formatted.toString())
  const times = (await print(['--format', '%T '])).toString().trim().split(' ').map(Number)
  assert.ok(times.length === 4 && times.every((time) => Math.abs(Date.now() - time) < 600_000))
})

/** What `command` prints on a terminal of 80 columns. Its messages are not among it. */
async function onTerminal(command: readonly string[], env: Record<string, string>): Promise<string> {
  const quoted = command.map((word) => `'${word}'`).join(' ')
  const line = `stty cols 80; exec ${quoted} 2>/dev/null`
  const { stdout } = await promisify(execFile)('script', ['-qec', line, '/dev/null'], { env })
  return stdout.replaceAll('\r\n', '\n')
}

test('on a terminal, the text format is the default, with a color for each core', {
  skip: process.platform !== 'linux' && 'it needs the script of util-linux'
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(LINES)
  const read = (env: Record<string, string>, ...args: readonly string[]): Promise<string> => {
    const all = ['--local', '--storage', sandbox.path('r'), '--from=start', '--count=2', ...args, writer.key]
    return onTerminal([process.execPath, builtFile('reader'), ...all], { ...sandbox.env, ...env })
  }
  const plain = '     0  short  hi\n     1  long   grüße, \\x1b[31mred\\x07\n'
  const colored = plain.replace('short', '\x1b[36mshort\x1b[39m').replace('long ', '\x1b[33mlong \x1b[39m')
  assert.equal(await read({}), colored)
  assert.equal(await read({ NO_COLOR: '1' }), plain)
  assert.equal(await read({}, '--raw'), Buffer.concat(LINES.slice(0, 2)).toString())
})

test('the text format sends no control character to the terminal', async (t) => {
  const controls = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).filter(
    (c) => c !== '\n'
  )
  const input = `${controls.join('x')}\n\x7f\x9b31m \u2028 \u202e \u2066\n${'\x1b'.repeat(10)}\nCRLF\r\n`
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  writer.end(input)
  await writer.stderr.says('end of input')
  const args = ['--exit', '--from', 'start', '--text']
  const { text: output } = (await ended(sandbox.reader(await keyOf(writer), { args }))).stdout
  assert.equal(output.split('\n').length, 5)
  assert.doesNotMatch(output, /[^\P{Cc}\t\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
  assert.match(output, /\\x9b31m \\u2028 \\u202e \\u2066\n/)
  assert.match(output, / CRLF\n/)
})

interface Schema {
  readonly required: readonly string[]
  readonly additionalProperties: boolean
  readonly oneOf: readonly { readonly required: readonly string[] }[]
  readonly properties: Readonly<
    Record<string, { readonly type: string | readonly string[]; pattern?: string }>
  >
}

test('--json prints one object per line, as in docs/reader-json.schema.json', async (t) => {
  const began = Date.now()
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(LINES)
  const args = ['--json', '--from=start', '--exit']
  const { stdout } = await ended(sandbox.reader(writer.key, { args }))
  const url = new URL('../../../docs/reader-json.schema.json', import.meta.url)
  const schema = JSON.parse(await readFile(url, 'utf8')) as Schema
  const objects = stdout.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const keys = writer.manifest.cores.map(({ key }) => key)
  assert.deepEqual(
    objects.map(({ position, core, key, index }) => ({ position, core, key, index })),
    LINES.map((_, position) => {
      const [core, name] = position % 2 === 0 ? [0, 'short'] : [1, 'long']
      return { position, core: name, key: keys[core], index: 0 }
    })
  )
  for (const [position, object] of objects.entries()) {
    for (const name of schema.required) assert.ok(name in object, name)
    assert.equal(schema.oneOf.filter(({ required }) => required.every((name) => name in object)).length, 1)
    for (const [name, value] of Object.entries(object)) {
      const { type = [], pattern } = schema.properties[name] ?? {}
      const kind = value === null ? 'null' : Number.isInteger(value) ? 'integer' : typeof value
      assert.ok([type].flat().includes(kind), `${name} is ${kind}`)
      if (pattern !== undefined) assert.match(String(value), new RegExp(pattern))
    }
    const { text, base64, time, timestamp, newline } = object
    assert.ok(Number(time) >= began && Number(time) <= Date.now(), String(time))
    assert.equal(timestamp, new Date(Number(time)).toISOString())
    const bytes = typeof text === 'string' ? Buffer.from(text) : Buffer.from(String(base64), 'base64')
    const whole = newline === false ? bytes : Buffer.concat([bytes, Buffer.from('\n')])
    assert.ok(whole.equals(LINES[position] ?? Buffer.of()))
  }
  assert.deepEqual(
    objects.map((object) => 'base64' in object),
    [false, false, true, false]
  )
  assert.equal(objects[0]?.text, 'hi')
})
