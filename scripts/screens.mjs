// Records what a terminal of 80 and of 120 columns shows: the demo, a live reader, and a long sync halfway and at its end. One text
// file each, without colors and with short keys. Needs a build, and `script` of util-linux.
//
// node scripts/screens.mjs [directory [lines]]   default: docs/screens, and 1,000,000 lines to sync

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const WIDTHS = [80, 120]
const TYPED = ['GET /', '200', 'GET /missing', '404', 'POST /login?from=/account/settings', '302']
/** Between history and live lines, so that the status in between shows too. */
const HISTORY_MS = 500
const CTRL_C = '\x03'
const ESC = '\x1b'
/** A control sequence, or a character. */
const PART = new RegExp(`${ESC}\\[([\\d;?]*)([a-zA-Z])|[^${ESC}]`, 'gs')
/** The beginning of a key or of a control sequence, which the next chunk completes. */
const INCOMPLETE = new RegExp(`(?:[0-9a-f]{1,63}|${ESC}[^a-zA-Z]*)$`)

/** A program on a pseudo-terminal. Knows the control sequences that our programs use. */
class Terminal {
  onUpdate = () => {}
  #columns
  #child
  #rows = [[]]
  #row = 0
  #column = 0
  #rest = ''

  constructor(columns, args) {
    this.#columns = columns
    const command = [process.execPath, ...args].map((arg) => (arg === '>' ? arg : `'${arg}'`)).join(' ')
    this.#child = spawn('script', ['-qefc', `stty cols ${columns} rows 40; exec ${command}`, '/dev/null'], {
      cwd: root,
      env: {
        ...process.env,
        TERM: 'xterm-256color',
        COLUMNS: columns,
        MANY_CORES_RENDEZVOUS: join(home, 'meet')
      },
      stdio: ['pipe', 'pipe', 'inherit']
    })
    this.#child.stdout.setEncoding('utf8').on('data', (chunk) => this.#write(chunk))
    this.closed = once(this.#child, 'close').then(() => this.#write(''))
  }

  /** What it shows, without colors and with short keys. */
  get screen() {
    return this.#rows
      .map((row) => row.join(''))
      .join('\n')
      .replaceAll(/·+/g, '…')
  }

  type(text) {
    this.#child.stdin.write(text)
  }

  async shows(text) {
    const closed = this.closed.then(() => {
      throw new Error(`the program ended before it showed ${text}:\n${this.screen}`)
    })
    while (!this.screen.includes(text)) await Promise.race([once(this.#child.stdout, 'data'), closed])
    closed.catch(() => {})
  }

  #write(chunk) {
    const text = this.#rest + chunk
    const [{ length }] = chunk === '' ? [''] : (INCOMPLETE.exec(text) ?? [''])
    this.#rest = text.slice(text.length - length)
    const whole = text.slice(0, text.length - length)
    // a dot for each digit that is left out: lines break where they do with the whole key
    const shown = whole.replaceAll(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, (_, start) => start + '·'.repeat(56))
    for (const [part, count, command] of shown.matchAll(PART))
      if (command === undefined) this.#print(part)
      else this.#control(command, Number(count))
    this.onUpdate()
  }

  #print(character) {
    if (character === '\r') this.#column = 0
    else if (character === '\n') this.#moveTo(this.#row + 1)
    else {
      if (this.#column === this.#columns) {
        this.#column = 0
        this.#moveTo(this.#row + 1)
      }
      const row = this.#rows[this.#row]
      while (row.length < this.#column) row.push(' ')
      row[this.#column++] = character
    }
  }

  #control(command, count) {
    const row = this.#rows[this.#row]
    if (command === 'K') row.splice(count === 2 ? 0 : this.#column)
    else if (command === 'J') {
      row.splice(this.#column)
      this.#rows.splice(this.#row + 1)
    } else if (command === 'A') this.#moveTo(Math.max(0, this.#row - (count || 1)))
    else if (command === 'G') this.#column = Math.max(0, count - 1)
  }

  #moveTo(row) {
    this.#row = row
    while (this.#rows.length <= row) this.#rows.push([])
  }
}

const root = fileURLToPath(new URL('..', import.meta.url))
const [directory = join(root, 'docs/screens'), lines = '1000000'] = process.argv.slice(2)
const home = await mkdtemp(join(tmpdir(), 'mc-'))
const writers = []
try {
  await mkdir(resolve(directory), { recursive: true })
  await Promise.all(WIDTHS.flatMap((columns) => [recordDemo(columns), recordLive(columns)]))
  const key = await publish(Number(lines))
  for (const columns of WIDTHS) await recordSync(columns, key)
} finally {
  for (const writer of writers) writer.kill('SIGKILL')
  await rm(home, { recursive: true, force: true, maxRetries: 5 })
}

async function recordDemo(columns) {
  const terminal = new Terminal(columns, ['scripts/demo.mjs'])
  await terminal.closed
  await save(`demo-${columns}`, `$ pnpm -s demo\n${terminal.screen}`)
}

async function recordLive(columns) {
  const writer = startWriter(`live-${columns}`)
  const key = await keyOf(writer)
  const reader = startReader(columns, 'live', key)
  const [history, live] = [TYPED.slice(0, -2), TYPED.slice(-2)]
  writer.stdin.write(history.map((line) => `${line}\n`).join(''))
  await reader.shows(history.at(-1))
  await delay(HISTORY_MS)
  for (const line of live) {
    writer.stdin.write(`${line}\n`)
    await reader.shows(line)
  }
  reader.type(CTRL_C)
  await reader.closed
  await save(`live-${columns}`, `$ reader --local KEY\n${reader.screen}`)
}

async function recordSync(columns, key) {
  const reader = startReader(columns, 'sync', key, '--exit')
  const screens = []
  reader.onUpdate = () => screens.push(reader.screen)
  await reader.closed
  const isFirstHalf = (screen) => Number(/(\d+) ?%/.exec(screen)?.[1]) <= 50
  const halfway = screens.findLast(isFirstHalf) ?? screens[Math.floor(screens.length / 2)]
  const command = '$ reader --local --exit KEY > FILE'
  await save(`sync-${columns}`, `${command}\n${halfway}\n\nAt the end:\n\n${command}\n${reader.screen}`)
}

/** Publishes `count` lines, and serves them. Resolves to the key of their log. */
async function publish(count) {
  const first = startWriter('sync', '--exit')
  const closed = once(first, 'exit')
  for (let line = 0; line < count; line++)
    if (!first.stdin.write(`${line} ${'.'.repeat(line % 97)}\n`)) await once(first.stdin, 'drain')
  first.stdin.end()
  await closed
  return await keyOf(startWriter('sync'))
}

function startWriter(storage, ...args) {
  const main = join(root, 'apps/writer/dist/main.js')
  const options = ['--local', '--quiet', '--storage', join(home, `w-${storage}`), ...args]
  const writer = spawn(process.execPath, [main, ...options], {
    env: { ...process.env, MANY_CORES_RENDEZVOUS: join(home, 'meet') },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  writers.push(writer)
  return writer
}

async function keyOf(writer) {
  const [chunk] = await once(writer.stdout, 'data')
  return /\w{64}/.exec(String(chunk))[0]
}

function startReader(columns, name, key, ...args) {
  const storage = join(home, `r-${name}-${columns}`)
  const output = name === 'sync' ? ['>', '/dev/null'] : []
  const main = 'apps/reader/dist/main.js'
  return new Terminal(columns, [main, '--local', '--storage', storage, ...args, key, ...output])
}

async function save(name, screen) {
  const text = screen
    .replaceAll(home, '')
    .replaceAll(/[^\S\n]+$/gm, '')
    .trimEnd()
  await writeFile(join(resolve(directory), `${name}.txt`), `${text}\n`)
  console.log(`${name}.txt`)
}
