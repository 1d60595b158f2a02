// Ten seconds, without a network: lines go into a writer and come out of a reader in order, over two cores; the writer is killed and
// comes back; a second reader gets everything from the first. What goes out is what the programs print. Leaves nothing behind.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { styleText } from 'node:util'

const TYPING_MS = 400
const READING_MS = 1000
const SIGNAL_MS = 100
const COLUMN = 30
const COLORS = { long: 'cyan', short: 'yellow' }
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

const root = new URL('..', import.meta.url)
const hasColors = process.stdout.hasColors?.() ?? false
const children = []
let ending = null
let position = 0

for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => end(code))
// stdout was closed: `pnpm -s demo | head`
process.stdout.on('error', () => end(0))
const home = mkdtempSync(join(tmpdir(), 'mc-'))
try {
  await demo()
  await end(0)
} catch (error) {
  // an interrupted demo fails in many ways, perhaps before this process has its signal
  await delay(SIGNAL_MS)
  if (ending === null) console.error(`demo: ${error.message}`)
  await end(1)
}

async function demo() {
  say('A writer prints the key of its log:')
  let writer = start('writer')
  const keyLine = await nextLine(writer)
  console.log(`${keyLine}\n`)
  const [key] = /\w{64}/.exec(keyLine)
  await delay(READING_MS)

  say(`${'into the writer'.padEnd(COLUMN)}out of a reader: position, core, line`)
  const reader = read('reader', key)
  const lines = ['GET /', '200', 'GET /missing', '404']
  for (const line of lines) await show(writer, reader, line)

  await kill(writer)
  say('\nThe writer was killed with -9. It starts again, with the same key:')
  await delay(READING_MS)
  writer = start('writer')
  const again = await nextLine(writer)
  if (again !== keyLine) throw new Error(`the writer came back as another: ${again}`)
  console.log(`${again}\n`)
  for (const line of ['POST /login', '302']) await show(writer, reader, line)

  await kill(writer)
  say('\nThe writer was killed again. A second reader gets everything from the first:')
  await delay(READING_MS)
  const second = read('second', key)
  for (let from = 0; from < position; from++) print(await nextLine(second))

  say('\nTo do this yourself, type in two terminals:')
  console.log('  node apps/writer/bin/writer.js --local')
  console.log('  node apps/reader/bin/reader.js --local KEY')
}

/** Types `line` into the writer, and prints what comes out of the reader. */
async function show(writer, reader, line) {
  process.stdout.write(line.padEnd(COLUMN))
  await delay(TYPING_MS)
  writer.stdin.write(`${line}\n`)
  const output = await nextLine(reader)
  console.log(paint(output))
  if (!output.startsWith(`${position} `) || !output.endsWith(`: ${line}`))
    throw new Error(`line ${position} came out as another`)
  position++
}

function print(output) {
  console.log(' '.repeat(COLUMN) + paint(output))
}

/** In the color of the line's core. */
function paint(output) {
  const [, core] = output.split(/[ :]/)
  return hasColors ? styleText(COLORS[core] ?? 'reset', output) : output
}

function say(text) {
  console.log(hasColors ? styleText('bold', text) : text)
}

function read(storage, key) {
  return start('reader', ['--from', 'start', '--format', '%o %k: %s\\n', key], storage)
}

function start(name, args = [], storage = name) {
  if (ending !== null) throw new Error('interrupted')
  const main = new URL(`apps/${name}/dist/main.js`, root).pathname
  const own = Object.entries(process.env).filter(([variable]) => !variable.startsWith('MANY_CORES_'))
  const child = spawn(
    process.execPath,
    [main, '--local', '--quiet', '--storage', join(home, storage), ...args],
    {
      env: { ...Object.fromEntries(own), MANY_CORES_RENDEZVOUS: home },
      stdio: ['pipe', 'pipe', 'inherit'],
      // Ctrl-C is for this process alone, which ends them
      detached: true
    }
  )
  child.stdin.on('error', () => {})
  child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  child.exited = once(child, 'exit')
  child.exited.catch(() => {})
  children.push(child)
  return child
}

async function nextLine(child) {
  const { value } = await child.lines.next()
  if (value === undefined) throw new Error('a program has ended too early')
  return value
}

async function kill(child) {
  child.kill('SIGKILL')
  await child.exited
}

/** The first code wins. */
function end(code) {
  ending ??= close(code)
  return ending
}

async function close(code) {
  await Promise.all(children.map(kill))
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  process.exit(code)
}
