import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'
import { tick } from './harness/tick.ts'

const run = promisify(execFile)
const LOGROTATE = ['/usr/sbin/logrotate', '/usr/bin/logrotate'].find(existsSync)

/** What users write into their configuration, by what it is called here. */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  plain: 'nocreate',
  create: 'create 0644',
  copytruncate: 'copytruncate',
  compress: 'create 0644\ncompress',
  'compress, delaycompress': 'create 0644\ncompress\ndelaycompress',
  'copytruncate, compress': 'copytruncate\ncompress',
  'copytruncate, compress, delaycompress': 'copytruncate\ncompress\ndelaycompress',
  dateext: 'create 0644\ndateext\ndateformat -%Y%m%d-%s',
  'dateext, extension, compress': 'create 0644\ndateext\ndateformat -%Y%m%d-%s\nextension .log\ncompress',
  olddir: 'create 0644\nolddir old',
  'olddir, compress': 'create 0644\nolddir old\ncompress',
  maxsize: 'create 0644\nmaxsize 10\ndaily'
}

const skip = LOGROTATE === undefined && 'logrotate is not installed; with Debian: apt-get install logrotate'

for (const [name, lines] of Object.entries(CONFIGURATIONS))
  test(`a log that logrotate rotates is published exactly once: ${name}`, { skip }, async (t) => {
    const sandbox = await Sandbox.open(t)
    await mkdir(sandbox.path('old'))
    const log = new RotatedLog(sandbox, lines)
    const args = ['--input', log.path, ...(lines.includes('olddir') ? ['--rotated', 'old/app.log*'] : [])]
    const publish = async (): Promise<void> => {
      const { stderr } = await ended(sandbox.writer({ args: [...args, '--exit'] }))
      assert.equal(String(await readInput(sandbox.path('writer'))), log.written, stderr.text)
    }
    await log.append()
    await publish()
    for (const rotations of [1, 3]) {
      await log.rotate(rotations)
      await publish()
    }
    const writer = await sandbox.writer({ args })
    const { stdout } = await sandbox.reader(await keyOf(writer), { args: ['--raw', '--from', 'start'] })
    for (const rotations of [1, 3]) {
      await log.rotate(rotations)
      await stdout.until(`${log.written.length} bytes`, () => stdout.length >= log.written.length)
      assert.equal(stdout.text, log.written)
    }
  })

/** A log, and logrotate. */
class RotatedLog {
  readonly path: string
  written = ''
  readonly #sandbox: Sandbox
  readonly #configuration: string
  #lines = 0
  /** Of the last rotation, at most: logrotate reads the clock itself. */
  #second = 0

  constructor(sandbox: Sandbox, lines: string) {
    this.#sandbox = sandbox
    this.path = sandbox.path('app.log')
    this.#configuration = `${this.path} {\nrotate 100\n${lines.replace('olddir old', `olddir ${sandbox.path('old')}`)}\n}\n`
  }

  async append(): Promise<void> {
    let text = ''
    for (let line = 0; line < 3; line++) text += `line ${this.#lines++} of the log\n`
    await appendFile(this.path, text)
    this.written += text
    await tick(join(this.#sandbox.path('old'), 'clock'))
  }

  /** Rotates it this often, with lines before, in between and after. */
  async rotate(times: number): Promise<void> {
    const [configuration, state] = [this.#sandbox.path('conf'), this.#sandbox.path('state')]
    await writeFile(configuration, this.#configuration, { mode: 0o644 })
    for (let rotation = 0; rotation < times; rotation++) {
      await this.append()
      // the names of dateext have a second
      if (this.#configuration.includes('dateext')) await this.#nextSecond()
      await run(LOGROTATE ?? '', ['--force', '--state', state, configuration])
      this.#second = unixSecond()
      await this.append()
    }
  }

  async #nextSecond(): Promise<void> {
    // the clock that logrotate reads may be a tick behind
    while (Date.now() < (this.#second + 1) * 1000 + 50) await elapse(10)
  }
}

function unixSecond(): number {
  return Math.floor(Date.now() / 1000)
}
