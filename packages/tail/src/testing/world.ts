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
  /** How many programs append. With `rename`, some reopen the log late. */
  readonly appenders: number
  /** How many older files are kept. */
  readonly keep: number
}

export function randomScheme(random: Random, keep: number): Scheme {
  const how = random.pick(['rename', 'rename', 'copytruncate'] as const)
  return {
    names: random.pick(['descending', 'ascending', 'dated', 'dated-extension'] as const),
    how,
    compress: random.pick(['never', 'at once', 'delayed'] as const),
    olddir: random.once(4),
    appenders: 1 + random.below(3),
    keep
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
  readonly #scheme: Scheme
  readonly #appenders: Appender[]
  /** The older files, oldest first, by the names that they have without the extension of a compressor. */
  #older: string[] = []
  #rotations = 0

  constructor(directory: string, random: Random, scheme: Scheme) {
    this.path = join(directory, 'app.log')
    this.#random = random
    this.#scheme = scheme
    if (scheme.olddir) mkdirSync(join(directory, 'old'))
    closeSync(openSync(this.path, 'a'))
    this.#appenders = Array.from({ length: scheme.appenders }, (_, index) => ({
      name: 'abc'.charAt(index),
      descriptor: openSync(this.path, 'a'),
      generation: 0,
      lines: 0,
      rest: ''
    }))
  }

  /** Does one thing. Returns what. */
  step(): string {
    const { how } = this.#scheme
    if (this.#random.once(12)) {
      this.#rotate()
      return 'rotate'
    }
    const appender = this.#random.pick(this.#appenders)
    const isLate = how === 'rename' && appender.generation < this.#rotations
    if (isLate && (appender.generation < this.#rotations - 1 || this.#random.once(3))) this.#reopen(appender)
    return this.#append(appender)
  }

  /** Completes all lines. */
  finish(): void {
    for (const appender of this.#appenders) {
      if (appender.rest !== '') this.#write(appender, '')
      closeSync(appender.descriptor)
    }
  }

  #append(appender: Appender): string {
    let text = ''
    const first = appender.lines
    const count = 1 + this.#random.below(this.#random.once(5) ? 200 : 3)
    for (let line = 0; line < count; line++) {
      text += `${appender.name}${appender.lines++} ${'.'.repeat(this.#random.below(60))}\n`
    }
    // half a line of one program before a line of another would be one line
    const isAlone =
      this.#appenders.length === 1 &&
      (appender.generation === this.#rotations || this.#scheme.how === 'copytruncate')
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
    appender.generation = this.#rotations
  }

  #rotate(): void {
    const { how, compress, keep } = this.#scheme
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
    } else {
      copyFileSync(this.path, name)
      truncateSync(this.path)
    }
    this.#rotations++
    this.#older.push(name)
    if (compress === 'at once') this.#pack(name)
    while (this.#older.length > keep) {
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
    if (names === 'ascending') return join(directory, `${base}.${this.#rotations + 1}`)
    if (names === 'dated') return join(directory, `${base}-${date}`)
    if (names === 'dated-extension') return join(directory, `app-${date}.log`)
    this.#older = this.#older.map((older, index) => {
      const name = join(directory, `${base}.${this.#older.length - index + 1}`)
      const actual = this.#actual(older)
      renameSync(actual, `${name}${actual.slice(older.length)}`)
      return name
    })
    return join(directory, `${base}.1`)
  }

  #actual(name: string): string {
    return existsSync(`${name}.gz`) ? `${name}.gz` : name
  }

  /** As gzip does: the packed file has the time of the original, which goes last. */
  #pack(name: string): void {
    if (!existsSync(name)) return
    // a program that still writes there would write into nothing
    if (this.#scheme.how === 'rename')
      for (const appender of this.#appenders)
        if (appender.generation < this.#rotations) this.#reopen(appender)
    const { atimeMs, mtimeMs } = statSync(name)
    writeFileSync(`${name}.gz`, gzipSync(readFileSync(name)))
    utimesSync(`${name}.gz`, atimeMs / 1000, mtimeMs / 1000)
    rmSync(name)
  }
}
