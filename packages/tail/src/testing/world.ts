import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Random } from './random.ts'

/** How a log is rotated. */
export interface Scheme {
  /** `descending`: `.1` is the newest; `ascending`: `.1` is the oldest; `dated`: as logrotate's dateext. */
  readonly names: 'descending' | 'ascending' | 'dated' | 'dated-extension'
  readonly how: 'rename' | 'copytruncate'
  readonly compress: 'never' | 'at once' | 'delayed'
  readonly olddir: boolean
}

export interface WorldOptions {
  /** How many programs append. After a rename, some reopen the log late. */
  readonly appenders: number
  /** How many older files are kept. */
  readonly keep: number
  /** Whether it is rotated in several ways, one after the other. */
  readonly isMixed: boolean
}

function randomScheme(random: Random): Scheme {
  return {
    names: random.pick(['descending', 'ascending', 'dated', 'dated-extension'] as const),
    how: random.pick(['rename', 'rename', 'copytruncate'] as const),
    compress: random.pick(['never', 'at once', 'delayed'] as const),
    olddir: random.once(4)
  }
}

interface Appender {
  readonly name: string
  descriptor: number
  /** The rotation that its file is from. */
  generation: number
  lines: number
  /** What it has still to write of its last line. */
  rest: string
}

/** Programs that write a log, and what rotates it. */
export class World {
  readonly path: string
  readonly written: string[] = []
  readonly #random: Random
  readonly #options: WorldOptions
  readonly #appenders: Appender[]
  #scheme: Scheme
  /** How often the scheme has changed. */
  #era = 0
  /** How often the log was renamed. */
  #generation = 0
  /** The log was renamed by mistake, and will be renamed back. */
  #isAway = false
  /** The older files, oldest first, by the names that they have without the extension of a compressor. */
  #older: string[] = []
  #rotations = 0

  constructor(directory: string, random: Random, options: WorldOptions) {
    this.path = join(directory, 'app.log')
    this.#random = random
    this.#options = options
    this.#scheme = randomScheme(random)
    mkdirSync(join(directory, 'old'))
    closeSync(openSync(this.path, 'a'))
    this.#appenders = Array.from({ length: options.appenders }, (_, index) => ({
      name: 'abc'.charAt(index),
      descriptor: openSync(this.path, 'a'),
      generation: 0,
      lines: 0,
      rest: ''
    }))
  }

  /** Does one thing. Returns what. */
  step(): string {
    if (this.#isAway || this.#random.once(60)) {
      const away = `${this.path}.0`
      renameSync(this.#isAway ? away : this.path, this.#isAway ? this.path : away)
      this.#isAway = !this.#isAway
      return this.#isAway ? 'rename by mistake' : 'rename back'
    }
    if (this.#random.once(20)) return this.#disturb()
    if (this.#options.isMixed && this.#random.once(40)) {
      this.#scheme = randomScheme(this.#random)
      // the files with the other names are left alone
      this.#older = []
      this.#era++
      return JSON.stringify(this.#scheme)
    }
    if (this.#random.once(12)) {
      this.#rotate()
      return `rotate as ${JSON.stringify(this.#scheme)}`
    }
    const appender = this.#random.pick(this.#appenders)
    const behind = this.#generation - appender.generation
    // what a file gains after it was read leaves no trace where it is deleted
    const mayBeLate = behind === 1 && this.#options.keep > 100
    if (behind > 0 && !(mayBeLate && !this.#random.once(3))) this.#reopen(appender)
    return this.#append(appender)
  }

  /** Completes all lines. */
  finish(): void {
    if (this.#isAway) renameSync(`${this.path}.0`, this.path)
    for (const appender of this.#appenders) {
      if (appender.rest !== '') this.#write(appender, '')
      closeSync(appender.descriptor)
    }
  }

  /** Another program's file comes or goes. */
  #disturb(): string {
    const name = this.#random.pick(['app.log.swp', '.app.log.lock', 'app2.log', 'my-app.log.1', 'app.logs'])
    const path = join(dirname(this.path), name)
    if (existsSync(path)) rmSync(path)
    else writeFileSync(path, `not-ours-${this.#random.below(1000)}\n`)
    return `${name} comes or goes`
  }

  #append(appender: Appender): string {
    let text = ''
    const first = appender.lines
    const count = 1 + this.#random.below(this.#random.once(5) ? 200 : 3)
    for (let line = 0; line < count; line++) {
      text += `${appender.name}${appender.lines++} ${'.'.repeat(this.#random.below(60))}\n`
    }
    // half a line of one program before a line of another would be one line
    const isAlone = this.#appenders.length === 1 && appender.generation === this.#generation
    const cut = isAlone && this.#random.once(4) ? 1 + this.#random.below(text.length) : text.length
    this.#write(appender, text.slice(0, cut))
    appender.rest = text.slice(cut)
    return `${appender.name} writes ${cut} bytes from ${appender.name}${first} to generation ${appender.generation}`
  }

  #write(appender: Appender, text: string): void {
    const all = appender.rest + text
    appender.rest = ''
    writeSync(appender.descriptor, all)
    this.written.push(all)
  }

  #reopen(appender: Appender): void {
    // a program completes its line first
    if (appender.rest !== '') this.#write(appender, '')
    closeSync(appender.descriptor)
    appender.descriptor = openSync(this.path, 'a')
    appender.generation = this.#generation
  }

  #rotate(): void {
    const { how, compress } = this.#scheme
    // half a line at the end of a renamed file counts as a line after the grace time
    if (how === 'rename')
      for (const appender of this.#appenders) if (appender.rest !== '') this.#write(appender, '')
    if (compress === 'delayed') {
      const newest = this.#older.at(-1)
      if (newest !== undefined) this.#pack(newest)
    }
    const name = this.#shiftNames()
    if (how === 'rename') {
      renameSync(this.path, name)
      closeSync(openSync(this.path, 'a'))
      this.#generation++
    } else {
      copyFileSync(this.path, name)
      truncateSync(this.path)
    }
    this.#rotations++
    this.#older.push(name)
    if (compress === 'at once') this.#pack(name)
    while (this.#older.length > this.#options.keep) {
      const oldest = this.#older.shift() ?? ''
      rmSync(this.#actual(oldest))
    }
  }

  /** The name of the next older file; renames the others where they move. */
  #shiftNames(): string {
    const { names, olddir } = this.#scheme
    const directory = olddir ? join(dirname(this.path), 'old') : dirname(this.path)
    const base = basename(this.path)
    const date = 20260001 + this.#rotations
    if (names === 'ascending') return join(directory, `${base}.${100_001 + this.#rotations}`)
    if (names === 'dated') return join(directory, `${base}-${date}`)
    if (names === 'dated-extension') return join(directory, `app-${date}.log`)
    const first = this.#era * 100 + 1
    this.#older = this.#older.map((older, index) => {
      const name = join(directory, `${base}.${first + this.#older.length - index}`)
      const actual = this.#actual(older)
      renameSync(actual, `${name}${actual.slice(older.length)}`)
      return name
    })
    return join(directory, `${base}.${first}`)
  }

  #actual(name: string): string {
    return existsSync(`${name}.gz`) ? `${name}.gz` : name
  }

  /** As gzip does: the packed file has the time of the original, which goes last. */
  #pack(name: string): void {
    if (!existsSync(name)) return
    // a program that still writes there would write into nothing
    for (const appender of this.#appenders) if (appender.generation < this.#generation) this.#reopen(appender)
    const { atimeMs, mtimeMs } = statSync(name)
    writeFileSync(`${name}.gz`, gzipSync(readFileSync(name)))
    utimesSync(`${name}.gz`, atimeMs / 1000, mtimeMs / 1000)
    rmSync(name)
  }
}
