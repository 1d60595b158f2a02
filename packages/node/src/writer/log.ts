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
  keyToBytes,
  type LogManifest,
  lineCount,
  type RoutingRule
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { OpenCore } from './appender.ts'
import type { CleanEnd } from './clean-end.ts'
import type { ComparedLog } from './compare.ts'
import { readRegained, writeRegained } from './regained.ts'

/** The log of a store, ready to be appended to. */
export interface WritableLog {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly bootstrap: Hypercore
  readonly openCore: OpenCore
  /** Lines published so far. */
  readonly length: number
  /** From here on lines came back from peers, and no checkpoint stands behind them; null: there are none. */
  readonly regainedFrom: number | null
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

/** Whom a log is compared with before it is appended to. */
export interface LogHooks {
  readonly end: CleanEnd
  /** Gets back what others hold of the log and this store has lost. */
  readonly compare: (log: ComparedLog) => Promise<void>
  /** So many lines were got back. */
  readonly onRegained: (lines: number) => void
}

/** Opens the log of `store`, and creates it, as `options` say, where there is none. */
export async function openLog(
  store: Corestore,
  options: LogOptions,
  { end, compare, onRegained }: LogHooks
): Promise<WritableLog> {
  const bootstrap = store.get({ name: 'core-1' })
  const cores = new Map<number, Hypercore>()
  const close = async (): Promise<void> => {
    await Promise.all([bootstrap, ...cores.values()].map((core) => core.close()))
  }
  try {
    await bootstrap.ready()
    const key = keyOf(bootstrap)
    const openAlias: OpenCore = async (index) => {
      const core = cores.get(index) ?? store.get({ name: alias(index) })
      cores.set(index, core)
      await core.ready()
      return core
    }
    const readManifest = async (): Promise<LogManifest> =>
      loggable(decodeManifest(await firstBlock(bootstrap), key))
    const isTrusted = await end.isTrusted(key, bootstrap.length)
    const before = isTrusted ? null : await storedLength(bootstrap, key)
    if (!isTrusted) {
      const countCores = async (): Promise<number> => (await readManifest()).cores.length
      // first: whoever is killed while lines come back still knows which they are
      if (before !== null && (await readRegained(bootstrap)) === null) await writeRegained(bootstrap, before)
      await compare({ bootstrap, countCores, openCore: openAlias })
    }
    const missing = await end.missing(key, bootstrap.length)
    if (missing > 0)
      throw unfit(
        `its journal had ${missing} records more when it was closed, and nobody who is connected has them`
      )
    if (bootstrap.length === 0) {
      await end.begin()
      await bootstrap.append(encodeManifest(await newManifest(store, options), key))
    }
    const manifest = await readManifest()
    refuseMismatch(manifest, options)
    const openCore: OpenCore = async (index) => {
      const core = await openAlias(index)
      if (keyOf(core) !== manifest.cores[index]?.key)
        throw refused(`its data core ${index} is not the one that block 0 names`)
      return core
    }
    const lengths = (): Promise<number[]> => storedLengths(store, manifest)
    const tail = await readTail(bootstrap, manifest, { lengths, all: !isTrusted })
    end.note(key, bootstrap.length)
    if (before !== null && tail.length > before) onRegained(tail.length - before)
    const regainedFrom = await readRegained(bootstrap)
    const isRegained = regainedFrom !== null && regainedFrom < tail.length
    if (regainedFrom !== null && !isRegained) await writeRegained(bootstrap, null)
    return {
      key,
      manifest,
      bootstrap,
      openCore,
      ...tail,
      regainedFrom: isRegained ? regainedFrom : null,
      close
    }
  } catch (error) {
    await close()
    throw translate(error)
  }
}

/** How many lines the journal counts, of which anything may be missing; null where it does not tell. */
async function storedLength(bootstrap: Hypercore, key: CoreKey): Promise<number | null> {
  if (bootstrap.length < 2) return 0
  const [first, last] = await Promise.all(
    [0, bootstrap.length - 1].map((index) => bootstrap.get(index, { wait: false }))
  )
  if (first === null || first === undefined || last === null || last === undefined) return null
  const { cores, framing } = loggable(decodeManifest(first, key))
  const record = decodeJournalRecord(last, { cores: cores.length, framing })
  return record.seq + lineCount(record)
}

async function firstBlock(bootstrap: Hypercore): Promise<Uint8Array> {
  const block = await bootstrap.get(0, { wait: false })
  if (block === null) throw unfit('block 0 of its journal is missing')
  return block
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

/**
 * Where the log ends, by its last journal record. With `all`, every core is compared with the last record that names it; else
 * those that the last record names.
 */
async function readTail(
  bootstrap: Hypercore,
  manifest: LogManifest,
  cores: { readonly lengths: () => Promise<number[]>; readonly all: boolean }
): Promise<{ length: number; time: number }> {
  const last = bootstrap.length - 1
  const record = last < 1 ? null : await readRecord(bootstrap, last, manifest)
  if (cores.all) await checkAll(bootstrap, manifest, await cores.lengths())
  else if (record !== null) checkExtents(record, await cores.lengths())
  return record === null
    ? { length: 0, time: 0 }
    : { length: record.seq + lineCount(record), time: record.time }
}

async function readRecord(
  bootstrap: Hypercore,
  index: number,
  manifest: LogManifest
): Promise<JournalRecord> {
  const block = await bootstrap.get(index, { wait: false })
  if (block === null) throw unfit(`block ${index} of its journal is missing`)
  return decodeJournalRecord(block, { cores: manifest.cores.length, framing: manifest.framing })
}

/** How many blocks each data core has here, without opening it: that takes milliseconds, and a log may have 16,384. */
async function storedLengths(store: Corestore, { cores }: LogManifest): Promise<number[]> {
  const infos = await store.storage.getInfos(
    cores.map(({ key }) => Hypercore.discoveryKey(keyToBytes(key))),
    { auth: false, hints: false }
  )
  return infos.map((info) => info?.head?.length ?? 0)
}

async function checkAll(
  bootstrap: Hypercore,
  manifest: LogManifest,
  lengths: readonly number[]
): Promise<void> {
  const unnamed = new Map([...lengths.entries()].filter(([, length]) => length > 0))
  for (let index = bootstrap.length - 1; index > 0 && unnamed.size > 0; index--) {
    const record = await readRecord(bootstrap, index, manifest)
    const at = record.at.filter(([core]) => index === bootstrap.length - 1 || unnamed.has(core))
    checkExtents({ at }, lengths)
    for (const [core] of at) unnamed.delete(core)
  }
  for (const [index, length] of unnamed)
    throw unfit(`its journal names no block of core ${index}, which has ${length}`)
}

// An atom leaves the two in step; a store where they are not was damaged, and appending would rewrite its history.
function checkExtents({ at }: Pick<JournalRecord, 'at'>, lengths: readonly number[]): void {
  for (const [index, length, blocks] of at) {
    if (lengths[index] === length + blocks) continue
    throw unfit(
      `its journal ends with ${length + blocks} blocks in core ${index}, which has ${lengths[index]}`
    )
  }
}

function keyOf(core: Hypercore): CoreKey {
  return keyFromBytes(core.key as Uint8Array)
}

function refused(fault: string): NodeError {
  return new NodeError('STORE_REFUSED', `the store cannot be written to: ${fault}`)
}

/** Not `STORE_DAMAGED`: all of it can be read, and does not fit together, or to what was there. */
function unfit(fault: string): NodeError {
  return refused(
    `${fault}, and appending would rewrite what readers have: start again while a reader that has everything is connected, or use a new --storage for a new log`
  )
}

function mismatch(fault: string): NodeError {
  return new NodeError(
    'RULE_MISMATCH',
    `${fault}; a log keeps what it was created with: use a new --storage for another`
  )
}
