import {
  type CoreKey,
  DEFAULT_RULE,
  decodeManifest,
  decodeRule,
  defaultNames,
  encodeManifest,
  type Framing,
  formatRule,
  keyFromBytes,
  type LogManifest,
  type RoutingRule
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore, { type SharedCore } from 'hypercore'
import type { Damage } from '../damage.ts'
import { NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { type StoredLog, unfit } from '../recovery/tail.ts'

/** The log of a store, opened by its writer. */
export interface WritableLog extends StoredLog {
  readonly key: CoreKey
  /** Whether it was made just now. */
  readonly isNew: boolean
  close(): Promise<void>
}

/** What the caller wants the log to be; what is not named is the log's own affair. */
export interface LogOptions {
  readonly routing?: RoutingRule
  readonly names?: readonly string[]
  readonly framing?: Framing
  /** Gets block 0 from peers, who may have it where a store without it is not new. */
  readonly findManifest: (bootstrap: Hypercore) => Promise<void>
}

/** Opens the log of `store`, and creates it, as `options` say, where there is none. */
export async function openLog(
  { store, heads, damage }: Pick<Internals, 'store' | 'heads' | 'damage'>,
  options: LogOptions
): Promise<WritableLog> {
  neverGrowAlone(store)
  const bootstrap = store.get({ name: 'core-1' })
  const cores = new Map<number, Hypercore>()
  const close = async (): Promise<void> => {
    await Promise.all([bootstrap, ...cores.values()].map((core) => core.close()))
  }
  try {
    await bootstrap.ready()
    heads.addJournal(bootstrap.core)
    const key = keyOf(bootstrap)
    if ((await damage.read(bootstrap, 0)) === null) await options.findManifest(bootstrap)
    const isNew = bootstrap.length === 0
    if (isNew) await bootstrap.append(encodeManifest(await newManifest(store, options), key))
    const manifest = loggable(decodeManifest(await firstBlock(damage, bootstrap), key))
    refuseMismatch(manifest, options)
    const openCore = async (index: number): Promise<Hypercore> => {
      const core = cores.get(index) ?? store.get({ name: alias(index) })
      cores.set(index, core)
      await core.ready()
      if (keyOf(core) !== manifest.cores[index]?.key)
        throw refused(`its data core ${index} is not the one that block 0 names`)
      return core
    }
    return { store, damage, key, isNew, manifest, bootstrap, openCore, close }
  } catch (error) {
    await close()
    throw translate(error)
  }
}

/**
 * What a peer has of a core of ours is taken over where it is asked for, and never beside what is being appended: a peer can open
 * one before we do.
 */
function neverGrowAlone(store: Corestore): void {
  const stop = (core: SharedCore): void => {
    core.ready().then(() => {
      if (core.header.keyPair !== null) core.replicator.eagerUpgrade = false
    }, ignore)
  }
  for (const core of store.cores) stop(core)
  store.watch(stop)
}

async function firstBlock(damage: Damage, bootstrap: Hypercore): Promise<Uint8Array> {
  const block = await damage.read(bootstrap, 0)
  if (block === null) throw unfit('block 0 of its journal is missing')
  return block
}

/** A data core's name in the writer's store, as the tutorial calls it. */
function alias(index: number): string {
  return `core-${index + 2}`
}

async function newManifest(
  store: Corestore,
  { routing = DEFAULT_RULE, names, framing = 'newline' }: LogOptions
): Promise<LogManifest> {
  const checked = decodeRule(routing)
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

function ignore(): void {}
