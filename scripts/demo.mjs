// Without a network: a writer spreads lines over two cores, and a reader prints them in order. Uses a temporary directory,
// and leaves no process behind.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const TYPING_MS = 200
const LINES = ['GET /', '200', 'GET /missing', '404', 'POST /login', '302']
const BULK_LINES = 200_000

const root = new URL('..', import.meta.url)
const home = await mkdtemp(join(tmpdir(), 'mc-'))
const children = []
let ending = null

process.once('SIGINT', () => end(130))
// stdout was closed: `pnpm -s demo | head`
process.stdout.on('error', () => end(0))
try {
  await demo()
  await end(0)
} catch (error) {
  // an interrupted demo fails in many ways
  if (ending === null) console.error(`demo: ${error.message}`)
  await end(1)
}

async function demo() {
  const writer = start('writer')
  const [keyLine] = await firstLine(writer)
  console.log(`${keyLine}\n`)
  const key = keyLine.split(': ')[1]
  const reader = start('reader', '--json', '--from', 'start', key)
  const output = createInterface({ input: reader.stdout })[Symbol.asyncIterator]()

  console.log(row('into the writer', 'core "short"', 'core "long"', 'out of the reader'))
  for (const line of LINES) {
    writer.stdin.write(`${line}\n`)
    const { value } = await output.next()
    const { position, core, index, text } = JSON.parse(value)
    if (text !== `${line}\n`) throw new Error(`line ${position} came out as another`)
    const block = `block ${index}`
    console.log(
      row(line, core === 'short' ? block : '', core === 'long' ? block : '', `${position}  ${line}`)
    )
    await delay(TYPING_MS)
  }
  reader.kill('SIGTERM')

  const bulk = Array.from({ length: BULK_LINES }, (_, line) => `${line} ${'.'.repeat(line % 97)}\n`).join('')
  const total = LINES.length + BULK_LINES
  console.log(`\n${BULK_LINES.toLocaleString('en')} more lines, and a new reader that reads everything:`)
  writer.stdin.end(bulk)
  const expected = createHash('sha256')
    .update(LINES.map((line) => `${line}\n`).join(''))
    .update(bulk)
  const began = performance.now()
  const fresh = start('reader', '--raw', '--from', 'start', '--count', String(total), key)
  const actual = createHash('sha256')
  for await (const chunk of fresh.stdout) actual.update(chunk)
  const seconds = (performance.now() - began) / 1000
  if (actual.digest('hex') !== expected.digest('hex')) throw new Error('what came out is not what went in')
  console.log(`${total.toLocaleString('en')} lines in ${seconds.toFixed(1)} s, byte for byte the same`)
}

function row(...cells) {
  return cells
    .map((cell, column) => cell.padEnd([20, 16, 16, 0][column]))
    .join('')
    .trimEnd()
}

function start(name, ...args) {
  const main = new URL(`apps/${name}/dist/main.js`, root).pathname
  const storage = join(home, `${name}-${children.length}`)
  const child = spawn(process.execPath, [main, '--local', '--quiet', '--storage', storage, ...args], {
    env: { ...process.env, MANY_CORES_RENDEZVOUS: home },
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

/** The first code wins. */
function end(code) {
  ending ??= close(code)
  return ending
}

async function close(code) {
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
