// The main job on this machine, without a network: real lines go into a writer, and come out of a reader in order.
// Everything it makes lies in one temporary directory, which it removes; it leaves no process behind.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const TYPING_MS = 40
const BULK_LINES = 200_000
const WIDTH = 62

const root = new URL('..', import.meta.url)
const home = await mkdtemp(join(tmpdir(), 'mc-'))
const children = []

process.once('SIGINT', () => end(130))
try {
  await demo()
  await end(0)
} catch (error) {
  console.error(`demo: ${error.message}`)
  await end(1)
}

async function demo() {
  say('A writer starts, and prints its key:')
  const writer = start('writer')
  const [keyLine] = await firstLine(writer)
  say(`  ${keyLine}\n`)
  const key = keyLine.split(': ')[1]

  say('A reader opens that one key. Each line goes in on the left; the reader prints it,')
  say('verified, with its position and the core that holds it:\n')
  const reader = start('reader', '--json', '--from', 'start', key)
  const output = createInterface({ input: reader.stdout })[Symbol.asyncIterator]()

  const lines = (await readFile(new URL('README.md', root), 'utf8')).split('\n').slice(0, 24)
  const cores = new Map()
  for (const line of lines) {
    writer.stdin.write(`${line}\n`)
    const { value } = await output.next()
    const entry = JSON.parse(value)
    if (entry.text !== `${line}\n`) throw new Error(`line ${entry.position} came out as another`)
    cores.set(entry.core, (cores.get(entry.core) ?? 0) + 1)
    say(`  ${clip(line).padEnd(WIDTH)} #${String(entry.position).padEnd(3)} ${entry.core}`)
    await delay(TYPING_MS)
  }
  say(
    `\n  spread by length: ${[...cores].map(([core, count]) => `${count} in ${core}`).join(', ')}; one order\n`
  )
  reader.kill('SIGTERM')

  say(
    `${BULK_LINES.toLocaleString('en')} lines more, and a new reader that takes all from the start, as raw bytes:\n`
  )
  const expected = createHash('sha256').update(lines.map((line) => `${line}\n`).join(''))
  const bulk = Array.from({ length: BULK_LINES }, (_, line) => `${line} ${'.'.repeat(line % 97)}\n`).join('')
  const total = lines.length + BULK_LINES
  writer.stdin.end(bulk)
  const began = performance.now()
  const fresh = start('reader', '--raw', '--from', 'start', '--count', String(total), key)
  const actual = createHash('sha256')
  for await (const chunk of fresh.stdout) actual.update(chunk)
  const seconds = (performance.now() - began) / 1000
  const same = actual.digest('hex') === expected.update(bulk).digest('hex')
  say(
    `  ${total.toLocaleString('en')} lines in ${seconds.toFixed(1)} s, start of the reader included: ${same ? 'byte for byte the same' : 'NOT the same'}`
  )
  if (!same) throw new Error('what came out is not what went in')
}

function start(name, ...args) {
  const main = new URL(`apps/${name}/dist/main.js`, root).pathname
  const storage = join(home, `${name}-${children.length}`)
  const child = spawn(process.execPath, [main, '--local', '--quiet', '--storage', storage, ...args], {
    env: { ...process.env, XDG_RUNTIME_DIR: home },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  children.push(child)
  return child
}

async function firstLine(child) {
  const failed = once(child, 'exit').then(() => {
    throw new Error('the writer did not start')
  })
  return await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed])
}

async function end(code) {
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null)
  await Promise.all(
    running.map((child) => {
      child.kill('SIGTERM')
      return once(child, 'exit')
    })
  )
  await rm(home, { recursive: true, force: true })
  process.exit(code)
}

function clip(line) {
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line
}

function say(text) {
  console.log(text)
}
