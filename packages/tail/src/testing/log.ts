import {
  appendFileSync,
  closeSync,
  copyFileSync,
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
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** A log in a directory, the programs that write and rotate it, and what was written to it. */
export class Log {
  readonly directory: string
  readonly path: string
  written = ''
  readonly #descriptors: number[] = []

  constructor(directory: string, name = 'app.log') {
    this.directory = directory
    this.path = join(directory, name)
  }

  at(name: string): string {
    return join(this.directory, name)
  }

  /** Appends to the log, or to another file. */
  append(text: string, name?: string): void {
    appendFileSync(name === undefined ? this.path : this.at(name), text)
    this.written += text
  }

  /** A program that keeps the log open, whatever its name becomes. Without O_APPEND, it writes on where it was. */
  open(flags: 'a' | 'w' = 'a'): (text: string) => void {
    const descriptor = openSync(this.path, flags)
    this.#descriptors.push(descriptor)
    return (text) => {
      writeSync(descriptor, text)
      this.written += text
    }
  }

  /** Renames the log, and creates another one. */
  rotate(to: string): void {
    renameSync(this.path, this.at(to))
    writeFileSync(this.path, '')
  }

  /** As logrotate's `copytruncate`. */
  copyTruncate(to: string): void {
    copyFileSync(this.path, this.at(to))
    truncateSync(this.path)
  }

  rename(from: string, to: string): void {
    renameSync(this.at(from), this.at(to))
  }

  remove(name: string): void {
    rmSync(this.at(name))
  }

  /** As gzip: the packed file has the times of the original, which is removed. */
  pack(name: string, pack: (bytes: Uint8Array) => Uint8Array = gzipSync, extension = 'gz'): void {
    // a Date has only ms
    const { atimeNs, mtimeNs } = statSync(this.at(name), { bigint: true })
    writeFileSync(this.at(`${name}.${extension}`), pack(readFileSync(this.at(name))))
    utimesSync(this.at(`${name}.${extension}`), Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9)
    this.remove(name)
  }

  /** Waits until the clock of the file system has moved on: it may tick only every 4 ms. */
  async tick(): Promise<void> {
    const probe = this.at('.tick')
    const now = (): bigint => {
      writeFileSync(probe, '')
      return statSync(probe, { bigint: true }).mtimeNs
    }
    for (const start = now(); now() === start; ) await new Promise((resolve) => setImmediate(resolve))
    rmSync(probe)
  }

  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor)
  }
}
