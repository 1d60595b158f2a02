import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Unit } from './baselines/arguments.ts'
import type { Command } from './program.ts'

/** How two processes on this machine find each other, and what their bytes travel over. */
export type Transport = 'hyperswarm' | 'local'

/** Where a writer keeps its log, and where its readers find it. */
export interface Place {
  /** A separate directory. */
  readonly directory: string
  /** `host:port` of the DHT. Without it, only the local socket is served. */
  readonly bootstrap?: string | undefined
}

export interface WriteOptions {
  /** Exit when standard input has ended. */
  readonly exit?: boolean
  readonly route?: string | undefined
}

export interface ReadOptions {
  readonly key: string
  /** A directory of the reader's own. */
  readonly directory: string
  readonly transport: Transport
  /** Exit at the end of the log. */
  readonly exit?: boolean
}

/** A writer and a reader that belong together: each is one process, the bytes go in by a pipe and come out by another. */
export interface System {
  readonly name: string
  write(place: Place, options?: WriteOptions): Command
  /** A reader of what the writer at `place` serves. */
  read(place: Place, options: ReadOptions): Command
}

/** This project, … */
export const manyCores: System = programs('many-cores', [])
/** … and this project without fsync, as the others work. */
export const withoutFsync: System = programs('many-cores without fsync', ['--no-fsync'])

function programs(name: string, options: readonly string[]): System {
  return {
    name,
    write: ({ directory, bootstrap }, { exit = false, route } = {}) =>
      app('writer', {
        meeting: join(directory, 'meet'),
        args: [
          '--storage',
          join(directory, 'store'),
          ...(bootstrap === undefined ? ['--local'] : ['--bootstrap', bootstrap]),
          ...(exit ? ['--exit'] : []),
          ...(route === undefined ? [] : ['--route', route]),
          ...options
        ]
      }),
    // a reader that uses the DHT must not find the socket
    read: (place, { key, directory, transport, exit = false }) =>
      app('reader', {
        meeting: join(transport === 'local' ? place.directory : directory, 'meet'),
        args: [
          '--storage',
          join(directory, 'store'),
          ...(transport === 'local' ? ['--local'] : ['--bootstrap', place.bootstrap ?? '']),
          ...(exit ? ['--exit'] : []),
          // the bench has its own deadline, and 64 readers on a slow machine need longer
          '--timeout',
          '300',
          '--raw',
          '--from',
          'start',
          ...options,
          key
        ]
      })
  }
}

/** One core whose blocks are lines, in batches of 1,024; or a line each, as it comes; or 64 KiB of whatever. */
export const rawLines: System = pair('raw hypercore', 'hypercore', 'lines')
export const rawLine: System = pair('raw append and get', 'hypercore', 'line')
export const rawBlocks: System = pair('raw hypercore 64 KiB', 'hypercore', 'blocks')
/** Each line to two cores at once, as a data core and a journal are: what Hypercore costs without anything of ours. */
export const rawTwoCores: System = pair('raw append and get, two cores', 'pair', 'line')
/** What the how-to shows. */
export const tutorial: System = pair('tutorial', 'tutorial', 'line')

/** The library without its program: it only writes. */
export function library(place: Place, { route }: WriteOptions = {}): Command {
  return {
    ...baseline('library-writer', place.directory, route === undefined ? [] : [route]),
    env: { MANY_CORES_RENDEZVOUS: join(place.directory, 'meet') }
  }
}

/** The database of Hypercore: it only writes. */
export function rocksdb(place: Place, unit: Unit): Command {
  return baseline('rocksdb-writer', place.directory, ['--unit', unit])
}

/** Hyperswarm alone: each reader gets `file` as it is. */
export function noise(file: string): System {
  return {
    name: 'raw noise',
    write: (place) => baseline('noise-writer', place.directory, [...waysTo(place), file]),
    read: (place, options) =>
      baseline('noise-reader', options.directory, [...wayFrom(place, options), options.key])
  }
}

/** A process that loads what all of them load and opens a store. */
export function bare({ directory }: Place): Command {
  return baseline('bare', directory, [])
}

function pair(name: string, programs: string, unit: Unit): System {
  return {
    name,
    write: (place, { exit = false } = {}) =>
      baseline(`${programs}-writer`, place.directory, [
        '--unit',
        unit,
        ...waysTo(place),
        ...(exit ? ['--exit'] : [])
      ]),
    read: (place, { exit = false, ...options }) =>
      baseline(`${programs}-reader`, options.directory, [
        ...wayFrom(place, options),
        ...(exit ? ['--exit'] : []),
        options.key
      ])
  }
}

/** All ways to a writer; one that only takes in needs none. */
function waysTo({ directory, bootstrap }: Place): string[] {
  const socket = ['--socket', join(directory, 'socket')]
  return bootstrap === undefined ? socket : [...socket, '--bootstrap', bootstrap]
}

function wayFrom({ directory, bootstrap = '' }: Place, { transport }: ReadOptions): string[] {
  return transport === 'local' ? ['--socket', join(directory, 'socket')] : ['--bootstrap', bootstrap]
}

function baseline(name: string, directory: string, args: readonly string[]): Command {
  const file = fileURLToPath(new URL(`./baselines/${name}.js`, import.meta.url))
  return { file: process.execPath, args: [file, '--storage', join(directory, 'store'), ...args] }
}

function app(
  name: string,
  { meeting, args }: { readonly meeting: string; readonly args: readonly string[] }
): Command {
  const bin = fileURLToPath(import.meta.resolve(`${name}/bin/${name}.js`))
  return {
    file: process.execPath,
    args: [bin, ...args],
    env: { MANY_CORES_RENDEZVOUS: meeting }
  }
}
