// Runs the commands of the documentation as you would type them, and compares what they print.
//
// ```console        `$ ` begins a command, the other lines are its output. Keys, times, durations and block
//                   numbers may differ. Lines that begin with `writer: ` or `reader: ` are on standard error,
//                   which can have more. KEY in a command is the last printed key. The last command must exit
//                   with 0.
// ```console NAME   a terminal: its last command keeps running, and `^C` interrupts it. The next block with
//                   this NAME continues there.
// ```input NAME     is typed into the terminal NAME
// ```js             is the file that its first line names, if it names one
// <!-- not run: WHY --> above a block of commands excludes it

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import { Output } from './harness/output.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const BLOCK = /(?:<!-- (not run: .+?) -->\n)?```(\w+)(?: (\w+))?\n(.*?)```/gs
const COMMANDS = /^(console|sh|bash)$/
const LINK = /\]\((?!https?:|#)([^)#\s]+)/g
const PATH = /`((?:apps|packages|docs|scripts)\/[\w./-]+)/g

const packages = await readdir(join(ROOT, 'packages'))
const documents = new Map<string, string>()
for (const folder of ['', 'docs', ...packages.map((name) => join('packages', name))])
  for (const name of (await readdir(join(ROOT, folder))).filter((name) => name.endsWith('.md')))
    documents.set(join(folder, name), await readFile(join(ROOT, folder, name), 'utf8'))

for (const [name, text] of documents) {
  const blocks = [...text.matchAll(BLOCK)].filter(([, reason]) => reason === undefined)
  if (!blocks.some(([, , language = '']) => COMMANDS.test(language))) continue
  test(`the commands in ${name} print the output that it shows`, async (t) => {
    const machine = await Machine.open(await temporary(t))
    atEnd(t, () => machine.close())
    for (const [, , language = '', terminal, body = ''] of blocks) {
      if (language === 'js') await machine.save(body)
      else if (language === 'input') machine.type(terminal, body)
      else if (language === 'console') await machine.show(terminal, body)
      else assert.doesNotMatch(language, COMMANDS, `neither run nor marked: ${body}`)
    }
  })
}

test('every relative link and every path in the documentation exists', async () => {
  const missing: string[] = []
  for (const [name, text] of documents) {
    const links = [...text.matchAll(LINK)].map(([, link = '']) => join(dirname(name), link))
    const paths = [...text.matchAll(PATH)].map(([, path = '']) => path)
    for (const path of [...links, ...paths])
      await access(join(ROOT, path)).catch(() => missing.push(`${name}: ${path}`))
  }
  assert.deepEqual(missing, [])
})

/** A home directory that looks like a clone, with both programs on the PATH, and terminals. */
class Machine {
  readonly #home: string
  readonly #terminals = new Map<string, Terminal>()
  #key = ''

  static async open(home: string): Promise<Machine> {
    const modules = join(home, 'node_modules', '@many-cores')
    await mkdir(modules, { recursive: true })
    for (const name of ['cli', 'node', 'protocol', 'tail'])
      await symlink(join(ROOT, 'packages', name), join(modules, name))
    await symlink(join(ROOT, 'apps'), join(home, 'apps'))
    await mkdir(join(home, 'bin'))
    await mkdir(join(home, 'run'), { mode: 0o700 })
    for (const name of ['writer', 'reader'])
      await script(join(home, 'bin', name), `exec node '${ROOT}apps/${name}/bin/${name}.js'`)
    // `pnpm -s demo` without pnpm, which corepack would download into the new home
    const manifest = await readFile(join(ROOT, 'package.json'), 'utf8')
    const { scripts } = JSON.parse(manifest) as { readonly scripts: { readonly demo: string } }
    await script(join(home, 'bin', 'pnpm'), `cd '${ROOT}' && exec ${scripts.demo}`)
    return new Machine(home)
  }

  private constructor(home: string) {
    this.#home = home
  }

  async save(code: string): Promise<void> {
    const [, name] = /^\/\/ (\S+)\n/.exec(code) ?? []
    if (name !== undefined) await writeFile(join(this.#home, name), code)
  }

  type(name = '', text: string): void {
    const terminal = this.#terminals.get(name)
    assert.ok(terminal, `nothing runs in the terminal ${name}`)
    terminal.type(text)
  }

  async show(name = '', body: string): Promise<void> {
    const lines = body.split('\n').slice(0, -1)
    const commands = lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2))
    if (commands.length > 0) {
      assert.ok(!this.#terminals.has(name), `the terminal ${name} is in use`)
      const typed = commands.join('\n').replaceAll(/\bKEY\b/g, this.#key)
      this.#terminals.set(name, new Terminal(typed, this.#home))
    }
    const terminal = this.#terminals.get(name)
    assert.ok(terminal, `nothing runs in the terminal ${name}`)
    const isInterrupted = lines.includes('^C')
    await terminal.expect(
      lines.filter((line) => !line.startsWith('$ ') && line !== '^C'),
      isInterrupted
    )
    if (name === '' || isInterrupted) {
      await terminal.ends(isInterrupted ? 130 : 0)
      this.#terminals.delete(name)
    }
    this.#key = /main core key: (\w{64})/.exec(terminal.stdout.text)?.[1] ?? this.#key
  }

  async close(): Promise<void> {
    await Promise.all([...this.#terminals.values()].map((terminal) => terminal.kill()))
  }
}

/** A shell that runs some commands. */
class Terminal {
  readonly stdout: Output
  readonly #commands: string
  readonly #stderr: Output
  readonly #shell: ChildProcess
  readonly #closed: Promise<unknown[]>
  #shown = ''
  #notes: string[] = []

  constructor(commands: string, home: string) {
    this.#commands = commands
    // MANY_CORES_LOCAL: no command may use the network
    const env = {
      PATH: `${join(home, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: home,
      XDG_RUNTIME_DIR: join(home, 'run'),
      MANY_CORES_LOCAL: '1'
    }
    // detached: `^C` goes to the whole process group, as on a terminal
    const shell = spawn('bash', ['-O', 'expand_aliases', '-c', commands], { cwd: home, env, detached: true })
    this.stdout = new Output(`stdout of ${commands}`, shell.stdout)
    this.#stderr = new Output(`stderr of ${commands}`, shell.stderr)
    this.#shell = shell
    this.#closed = once(shell, 'close')
  }

  type(text: string): void {
    this.#shell.stdin?.write(text)
  }

  /** Waits for `lines`, after those that were expected before. */
  async expect(lines: readonly string[], isInterrupted: boolean): Promise<void> {
    if (isInterrupted) this.#signal('SIGINT')
    const isNote = (line: string): boolean => /^(writer|reader): /.test(line)
    this.#shown += lines.map((line) => (isNote(line) ? '' : `${line}\n`)).join('')
    this.#notes.push(...lines.filter(isNote))
    await this.stdout
      .until('the output in the documentation', () => this.#isShown())
      .catch(() => this.#check())
    await this.#stderr.until(this.#notes.join('\n'), () => this.#isNoted())
  }

  async ends(expected: number): Promise<void> {
    const [code] = await deadline(this.#commands, this.#closed)
    assert.equal(code, expected, `${this.#commands}: ${this.#stderr.text}`)
    this.#check()
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#closed
  }

  #signal(name: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#shell
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, name)
  }

  #check(): void {
    assert.equal(mask(this.stdout.text), mask(this.#shown), `${this.#commands}\n${this.#stderr.text}`)
  }

  #isShown(): boolean {
    return mask(this.stdout.text) === mask(this.#shown)
  }

  #isNoted(): boolean {
    const notes = this.#notes.map(mask)
    for (const line of this.#stderr.lines) if (mask(line) === notes[0]) notes.shift()
    return notes.length === 0
  }
}

async function script(path: string, command: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${command} "$@"\n`, { mode: 0o755 })
}

function mask(text: string): string {
  return text
    .replaceAll(/\b([0-9a-f]{64}|[0-9a-f]{4,}…[0-9a-f]*)/g, '<key>')
    .replaceAll(/\b(\d{13}|\d{4}-\d\d-\d\dT[\d:.]+Z)\b/g, '<time>')
    .replaceAll(/\b\d+(\.\d+)? m?s\b/g, '<duration>')
    .replaceAll(/\b(Block|process) \d+/g, '$1 <number>')
}
