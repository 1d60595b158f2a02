import {
  type CoreKey,
  decodeJournalRecord,
  decodeManifest,
  decodeRule,
  defaultNames,
  encodeManifest,
  type Framing,
  formatRule,
  type JournalRecord,
  keyFromBytes,
  type LogManifest,
  lineCount,
  type RoutingRule
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { OpenCore } from './appender.ts'

/** The log of a store, ready to be appended to. */
export interface WritableLog {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly bootstrap: Hypercore
  readonly openCore: OpenCore
  /** Lines published so far. */
  readonly length: number
  /** The time of the last journal record, 0 if there is none. */
  readonly time: number
  close(): Promise<void>
}

/** What the caller wants the log to be; what is not named is the log's own affair. */
export interface LogOptions {
  readonly rule: RoutingRule
  readonly routing?: RoutingRule
  readonly names?: readonly string[]
  readonly framing?: Framing
}

/** Opens the log of `store`, and creates it, as `options` say, where there is none. */
export async function openLog(store: Corestore, options: LogOptions): Promise<WritableLog> {
  const bootstrap = store.get({ name: 'core-1' })
  const cores = new Map<number, Hypercore>()
  const close = async (): Promise<void> => {
    await Promise.all([bootstrap, ...cores.values()].map((core) => core.close()))
  }
  try {
    await bootstrap.ready()
    const key = keyOf(bootstrap)
    if (bootstrap.length === 0) await bootstrap.append(encodeManifest(await newManifest(store, options), key))
    const manifest = loggable(decodeManifest(await bootstrap.get(0), key))
    refuseMismatch(manifest, options)
    const openCore: OpenCore = async (index) => {
      const core = cores.get(index) ?? store.get({ name: alias(index) })
      cores.set(index, core)
      await core.ready()
      if (keyOf(core) !== manifest.cores[index]?.key)
        throw refused(`its data core ${index} is not the one that block 0 names`)
      return core
    }
    const tail = await readTail(bootstrap, manifest, openCore)
    return {
      key,
      manifest,
      bootstrap,
      openCore,
      ...tail,
      close
    }
  } catch (error) {
    await close()
    throw translate(error)
  }
}

/** A data core's name in the writer's store, as the tutorial calls it. */
function alias(index: number): string {
  return `core-${index + 2}`
}

async function newManifest(
  store: Corestore,
  { rule, routing, names, framing = 'newline' }: LogOptions
): Promise<LogManifest> {
  const checked = decodeRule(routing ?? rule)
  const cores = (names ?? defaultNames(checked)).map(async (name, index) => ({
    name,
    key: await dataCoreKey(store, index)
  }))
  return { version: 1, cores: await Promise.all(cores), routing: checked, framing }
}

/** The key that corestore 7 gives to the core of this name, without opening it: a log may have 16,384. */
async function dataCoreKey(store: Corestore, index: number): Promise<CoreKey> {
  const { publicKey } = await store.createKeyPair(alias(index))
  return keyFromBytes(Hypercore.key({ version: 1, signers: [{ publicKey }] }))
}

function loggable(manifest: ReturnType<typeof decodeManifest>): LogManifest {
  if (manifest.version === 1) return manifest
  throw refused('the store was made by the tutorial’s writer, whose log has no journal: use a new --storage')
}

function refuseMismatch(manifest: LogManifest, { routing, names, framing }: LogOptions): void {
  const own = formatRule(manifest.routing)
  const asked = routing === undefined ? own : formatRule(decodeRule(routing))
  if (asked !== own) throw mismatch(`the log routes by ${own}, not by ${asked}`)
  const ownNames = manifest.cores.map((core) => core.name).join(',')
  if (names !== undefined && names.join(',') !== ownNames)
    throw mismatch(`the log's cores are ${ownNames}, not ${names.join(',')}`)
  if (framing !== undefined && framing !== manifest.framing)
    throw mismatch(`the log has framing ${manifest.framing}, not ${framing}`)
}

/** Where the log ends, by its last journal record. */
async function readTail(
  bootstrap: Hypercore,
  manifest: LogManifest,
  openCore: OpenCore
): Promise<{ length: number; time: number }> {
  if (bootstrap.length < 2) return { length: 0, time: 0 }
  const block = await bootstrap.get(bootstrap.length - 1, { wait: false })
  if (block === null) throw refused('the end of its journal is missing')
  const record = decodeJournalRecord(block, { cores: manifest.cores.length, framing: manifest.framing })
  await checkTail(record, openCore)
  return { length: record.seq + lineCount(record), time: record.time }
}

// An atom leaves the two in step; a store where they are not was damaged, and appending would rewrite its history.
async function checkTail(record: JournalRecord, openCore: OpenCore): Promise<void> {
  for (const [index, length, blocks] of record.at) {
    const core = await openCore(index)
    if (core.length === length + blocks) continue
    throw refused(
      `its journal ends with ${length + blocks} blocks in core ${index}, which has ${core.length}`
    )
  }
}

function keyOf(core: Hypercore): CoreKey {
  return keyFromBytes(core.key as Uint8Array)
}

function refused(fault: string): NodeError {
  return new NodeError('STORE_REFUSED', `the store cannot be written to: ${fault}`)
}

function mismatch(fault: string): NodeError {
  return new NodeError(
    'RULE_MISMATCH',
    `${fault}; a log keeps what it was created with: use a new --storage for another`
  )
}
