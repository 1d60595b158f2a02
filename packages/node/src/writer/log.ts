import {
  type CoreKey,
  decodeManifest,
  decodeRule,
  defaultNames,
  encodeManifest,
  endOfRecord,
  type Framing,
  formatRule,
  keyFromBytes,
  keyToBytes,
  type LogManifest,
  type RoutingRule
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import { decodeRecord } from '../follow/record.ts'
import type { OpenCore } from './appender.ts'
import type { CleanEnd } from './clean-end.ts'
import { type ComparedLog, WAYS_OUT } from './compare.ts'
import { giveUp, type Loss } from './loss.ts'
import { type LostBlocks, readLoss, readLostBlocks } from './lost-blocks.ts'
import { firstAbsent } from './present.ts'
import { readRegained, writeRegained } from './regained.ts'
import { type CoreExtents, type Survey, survey } from './survey.ts'

/** The log of a store, ready to be appended to. */
export interface WritableLog {
  readonly key: CoreKey
  readonly manifest: LogManifest
  readonly bootstrap: Hypercore
  readonly openCore: OpenCore
  /** The position of the next line. */
  readonly length: number
  /** From here on lines came back from peers, and no checkpoint stands behind them; null: there are none. */
  readonly regainedFrom: number | null
  /** The time of the last journal record, 0 if there is none. */
  readonly time: number
  /** The block of the newest loss record, null if there is none. */
  readonly loss: number | null
  /** What has to be given up before anything is appended: `length` and `time` are behind it. Null: nothing. */
  readonly given: Loss | null
  close(): Promise<void>
}

/** What the caller wants the log to be; what is not named is the log's own affair. */
export interface LogOptions {
  readonly rule: RoutingRule
  readonly routing?: RoutingRule
  readonly names?: readonly string[]
  readonly framing?: Framing
  /** Give up what was lost, and nobody has. */
  readonly acceptLoss: boolean
}

/** Whom a log is compared with before it is appended to. */
export interface LogHooks {
  readonly end: CleanEnd
  /** Gets back what others hold of the log and this store has lost. */
  readonly compare: (log: ComparedLog) => Promise<void>
  /** So many lines were got back. */
  readonly onRegained: (lines: number) => void
  /** The lines at so many positions from the first one on are given up; 0: nobody knows how many. */
  readonly onLost: (position: number, lines: number) => void
}

/** Opens the log of `store`, and creates it, as `options` say, where there is none. */
export async function openLog(
  store: Corestore,
  options: LogOptions,
  { end, compare, onRegained, onLost }: LogHooks
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
      // first: whoever is killed while lines come back still knows which they are
      if (before !== null && (await readRegained(bootstrap)) === null) await writeRegained(bootstrap, before)
      await compare({
        bootstrap,
        countCores: async () => (await readManifest()).cores.length,
        openCore: openAlias,
        readLoss: async () => readLoss(bootstrap, await readManifest()),
        readLost: async () => readLostBlocks(bootstrap, await readManifest())
      })
    }
    const missing = await end.missing(key, bootstrap.length)
    if (missing > 0 && !options.acceptLoss)
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
    const regainedFrom = await readRegained(bootstrap)
    const { found, given } = await look(
      { store, bootstrap, manifest, openCore },
      { isTrusted, regainedFrom, acceptLoss: options.acceptLoss }
    )
    if (given === null) end.note(key, bootstrap.length)
    if (before !== null && found.position > before) onRegained(found.position - before)
    if (given !== null) onLost(given.position, given.lines)
    else if (missing > 0) onLost(found.position, 0)
    const isRegained = regainedFrom !== null && regainedFrom < found.position
    if (regainedFrom !== null && !isRegained && given === null) await writeRegained(bootstrap, null)
    return {
      key,
      manifest,
      bootstrap,
      openCore,
      length: given?.record.seq ?? found.position,
      time: given?.record.time ?? found.time,
      loss: found.loss === 0 ? null : found.loss,
      given,
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
  return endOfRecord(decodeRecord(last, bootstrap.length - 1, loggable(decodeManifest(first, key))))
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

interface StoredLog {
  readonly store: Corestore
  readonly bootstrap: Hypercore
  readonly manifest: LogManifest
  readonly openCore: OpenCore
}

interface LookOptions {
  /** The store is as it was left at a clean end. */
  readonly isTrusted: boolean
  readonly regainedFrom: number | null
  readonly acceptLoss: boolean
}

/** Looks whether journal and cores fit together, and what must be given up if not. Throws NodeError `STORE_REFUSED`. */
async function look(
  log: StoredLog,
  { isTrusted, regainedFrom, acceptLoss }: LookOptions
): Promise<{ readonly found: Survey; readonly given: Loss | null }> {
  const { bootstrap, manifest } = log
  const lost = await readLostBlocks(bootstrap, manifest)
  const cores = await readExtents(log, lost)
  const isWhole = (await firstAbsent(bootstrap, lost.journal)) === bootstrap.length
  const found = await survey({
    bootstrap,
    manifest,
    cores,
    lost,
    from: isTrusted ? Number.POSITIVE_INFINITY : (regainedFrom ?? 0),
    all: !isTrusted || !isWhole || cores.some(({ length, whole }) => whole < length)
  })
  const { fault } = found
  if (fault === null) return { found, given: null }
  // a gap in what was never lost is no lost end: what lies behind it would go for nothing
  if (found.position < (regainedFrom ?? 0)) throw refused(`${fault}, ${NOT_LOST}`)
  if (!acceptLoss) throw unfit(fault)
  const given = giveUp(found, cores, { before: lost.journal, block: bootstrap.length })
  if (given === null) throw refused(`${fault}, and it has lost as often as a log may: ${NEW_STORAGE}`)
  return { found, given }
}

/** How many blocks each data core has here, without opening those that have all: that takes milliseconds, and a log may have 16,384. */
async function readExtents(
  { store, manifest, openCore }: StoredLog,
  lost: LostBlocks
): Promise<CoreExtents[]> {
  const infos = await store.storage.getInfos(
    manifest.cores.map(({ key }) => Hypercore.discoveryKey(keyToBytes(key))),
    { auth: false }
  )
  const extents: CoreExtents[] = []
  for (const [index, info] of infos.entries()) {
    const length = info?.head?.length ?? 0
    const isWhole = (info?.hints?.contiguousLength ?? 0) >= length
    const whole = isWhole ? length : await firstAbsent(await openCore(index), lost.cores.get(index) ?? [])
    extents.push({ length, whole })
  }
  return extents
}

function keyOf(core: Hypercore): CoreKey {
  return keyFromBytes(core.key as Uint8Array)
}

function refused(fault: string): NodeError {
  return new NodeError('STORE_REFUSED', `the store cannot be written to: ${fault}`)
}

/** Not `STORE_DAMAGED`: all of it can be read, and does not fit together, or to what was there. */
function unfit(fault: string): NodeError {
  return refused(`${fault}, and appending would rewrite what readers have: ${WAYS_OUT}`)
}

const NEW_STORAGE = 'use a new --storage for a new log'

const NOT_LOST = `which it had when it was opened last: start again while a reader that has everything is connected, or ${NEW_STORAGE}`

function mismatch(fault: string): NodeError {
  return new NodeError(
    'RULE_MISMATCH',
    `${fault}; a log keeps what it was created with: use a new --storage for another`
  )
}
