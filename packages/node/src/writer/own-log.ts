import {
  type CoreKey,
  DEFAULT_RULE,
  decodeManifest,
  decodeRule,
  defaultNames,
  encodeManifest,
  formatRule,
  keyFromBytes,
  type LogManifest
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import Hypercore, { type SharedCore } from 'hypercore'
import { ignore, NodeError, translate } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { recoverManifest } from '../recovery/resume.ts'
import { cannotAppend, type StoredLog } from '../recovery/tail.ts'
import type { WriterOptions } from './writer.ts'

/** The log of a store, which its writer has claimed until it is closed. */
export interface WritableLog extends StoredLog {
  close(): Promise<void>
}

/** Opens the log of the store, and creates it with `options` if there is none. Throws NodeError `STORE_IN_USE` if a writer has it. */
export async function openLog(
  internals: Internals,
  options: WriterOptions & { readonly signal: AbortSignal }
): Promise<WritableLog> {
  const { store, heads, damage } = internals
  const release = internals.claimLog()
  stopUpgrades(store)
  const bootstrap = store.get({ name: 'core-1' })
  const cores = new Map<number, Hypercore>()
  const close = async (): Promise<void> => {
    await Promise.all([bootstrap, ...cores.values()].map((core) => core.close())).finally(release)
  }
  try {
    const isCopy = await internals.copyMark.exists()
    if (isCopy && options.adopt === undefined)
      throw refused(
        'it is a copy, or was moved or restored from a backup. If the original also continues the log, the log forks. Use the original or, if it is gone, see `writer adopt --help`'
      )
    await bootstrap.ready()
    heads.addJournal(bootstrap.core)
    const key = keyOf(bootstrap)
    if (!internals.isNew && (await damage.read(bootstrap, 0)) === null)
      await recoverManifest(bootstrap, internals, options.signal)
    const isNew = bootstrap.length === 0
    if (isNew && isCopy) throw refused('it is a copy without a log. Use a new --storage')
    if (isNew) await bootstrap.append(encodeManifest(await newManifest(store, options), key))
    const block = await damage.read(bootstrap, 0)
    if (block === null) throw cannotAppend('block 0 of the journal is missing')
    const manifest = decodeManifest(block, key)
    if (manifest.version !== 1)
      throw refused("the tutorial's writer created it, and its log has no journal. Use a new --storage")
    checkOptions(manifest, options)
    const openCore = async (index: number): Promise<Hypercore> => {
      const core = cores.get(index) ?? store.get({ name: alias(index) })
      cores.set(index, core)
      await core.ready()
      if (keyOf(core) !== manifest.cores[index]?.key)
        throw refused(`data core ${index} is not the one that the manifest in block 0 names`)
      return core
    }
    return { store, damage, key, isNew, manifest, bootstrap, openCore, close }
  } catch (error) {
    await close()
    throw translate(error)
  }
}

/**
 * The writer's cores grow from peers only during recovery, never while the writer appends. This covers all of them, because a peer can
 * open one before the writer does.
 */
function stopUpgrades(store: Corestore): void {
  const stop = (core: SharedCore): void => {
    core.ready().then(() => {
      if (core.header.keyPair !== null) core.replicator.eagerUpgrade = false
    }, ignore)
  }
  for (const core of store.cores) stop(core)
  store.watch(stop)
}

/** The name of a data core in the writer's store: the tutorial's. */
function alias(index: number): string {
  return `core-${index + 2}`
}

async function newManifest(
  store: Corestore,
  { routing = DEFAULT_RULE, names, framing = 'newline' }: WriterOptions
): Promise<LogManifest> {
  const checked = decodeRule(routing)
  const cores = (names ?? defaultNames(checked)).map(async (name, index) => ({
    name,
    key: await dataCoreKey(store, index)
  }))
  return { version: 1, cores: await Promise.all(cores), routing: checked, framing }
}

/** The key of the data core, as corestore 7 derives it. This does not open the core: a log may have 16,384. */
async function dataCoreKey(store: Corestore, index: number): Promise<CoreKey> {
  const { publicKey } = await store.createKeyPair(alias(index))
  return keyFromBytes(Hypercore.key({ version: 1, signers: [{ publicKey }] }))
}

function checkOptions(manifest: LogManifest, { routing, names, framing }: WriterOptions): void {
  const own = formatRule(manifest.routing)
  const asked = routing === undefined ? own : formatRule(decodeRule(routing))
  if (asked !== own) throw mismatch(`the log routes by ${own}, not by ${asked}`)
  const ownNames = manifest.cores.map((core) => core.name).join(',')
  if (names !== undefined && names.join(',') !== ownNames)
    throw mismatch(`the log has the cores ${ownNames}, not ${names.join(',')}`)
  if (framing !== undefined && framing !== manifest.framing)
    throw mismatch(`the log has framing ${manifest.framing}, not ${framing}`)
}

function keyOf(core: Hypercore): CoreKey {
  return keyFromBytes(core.key as Uint8Array)
}

function refused(fault: string): NodeError {
  return new NodeError('STORE_REFUSED', `cannot append to this store: ${fault}`)
}

function mismatch(fault: string): NodeError {
  return new NodeError(
    'RULE_MISMATCH',
    `${fault}. This cannot change after a log is created. For a log with other settings, use a new --storage`
  )
}
