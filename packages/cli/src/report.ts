import type { Status as NodeStatus, OnStatus, Via } from '@many-cores/node'
import { formatBytes, grouped } from './progress.ts'
import type { Status } from './status.ts'

/** A sync that took less is not worth a word. */
const WORTH_SAYING_MS = 1000

/** Nobody is alone who is called again at once: a peer that was restarted has its new connection within so long. */
const ALONE_MS = 1000

/** Says on standard error what happens around a node. */
export function reportTo(status: Status): OnStatus {
  const report = new Report(status)
  return (event) => report.take(event)
}

/** What is done, beside being connected: `syncing`, `live`, or what a writer waits for. */
type Phase = string

class Report {
  readonly #status: Status
  readonly #peers = new Map<string, Via>()
  readonly #refusals = new Set<string>()
  #phase: Phase = ''
  #sync: Extract<NodeStatus, { state: 'syncing' }> | null = null
  /** The last peer has gone just now, and that is not said yet. */
  #aloneSoon: NodeJS.Timeout | null = null
  /** Lines that were delivered before this sync. */
  #before = 0

  constructor(status: Status) {
    this.#status = status
  }

  take(event: NodeStatus): void {
    this.#count(event)
    const detail = detailOf(event)
    if (detail !== undefined) this.#status.detail(detail)
    this.#say(event)
  }

  #count(event: NodeStatus): void {
    if (event.state === 'connected') this.#peers.set(event.peer, event.via)
    if (event.state === 'disconnected') this.#peers.delete(event.peer)
  }

  #say(event: NodeStatus): void {
    switch (event.state) {
      case 'finding':
        this.#status.state('finding peers')
        break
      case 'connecting':
        // said once: peers that do not answer are called again and again
        if (this.#peers.size === 0) this.#status.state(`connecting to a peer, by ${event.via}`)
        break
      case 'connected':
        this.#sayState()
        break
      case 'disconnected':
        if (this.#peers.size === 0) this.#sayAloneSoon()
        else this.#sayState()
        break
      case 'unreachable':
        // a machine without such a network is no fault: the others go on
        if (event.via !== 'lan') this.#status.note(`cannot look for peers by ${event.via}: ${event.reason}`)
        break
      case 'reachable':
        if (event.via !== 'lan') this.#status.note(`${event.via} can be reached`)
        break
      case 'refused':
        // whom we refuse is for those who want to know all: anybody may knock
        if (event.by === 'them') this.#sayRefused(event.reason)
        break
      case 'syncing':
        this.#saySync(event)
        break
      case 'live':
        this.#sayLive(event.lines)
        break
      case 'waiting':
        this.#status.state(`waiting for block ${event.index} of core ${event.core}: no peer has sent it`)
        break
      case 'acknowledging':
        this.#phase = acknowledging(event)
        this.#sayState()
        break
      case 'comparing':
        this.#status.state(
          `unclean shutdown: checking peers for newer lines (up to ${event.patience / 1000} s)`
        )
        break
      case 'regained':
        this.#status.note(`recovered ${grouped(event.lines)} lines from peers that this store did not have`)
        break
      case 'damaged':
        this.#status.note(
          `block ${event.index} of core ${event.core} is damaged in this store: fetching it from a peer that has it`
        )
        break
      case 'repaired':
        this.#status.note(`block ${event.index} of core ${event.core} was repaired from a peer`)
        break
      case 'failed':
      case 'spare':
      // details only
    }
  }

  #sayAloneSoon(): void {
    this.#aloneSoon ??= setTimeout(() => {
      this.#aloneSoon = null
      this.#sayState()
    }, ALONE_MS).unref()
  }

  /** Said once: who was refused calls again. */
  #sayRefused(reason: string): void {
    if (this.#refusals.has(reason)) return
    this.#refusals.add(reason)
    this.#status.note(`a peer refuses this one: ${reason}`)
  }

  #sayState(): void {
    if (this.#peers.size === 0 && this.#aloneSoon !== null) return
    const whom = this.#peers.size === 0 ? 'alone, looking for peers' : this.#connected()
    this.#status.state(this.#phase === '' ? whom : `${this.#phase}; ${whom}`)
  }

  #connected(): string {
    const count = this.#peers.size
    const vias = [...new Set(this.#peers.values())].sort()
    return `connected to ${count === 1 ? '1 peer' : `${count} peers`}, by ${vias.join(' and ')}`
  }

  #saySync(sync: Extract<NodeStatus, { state: 'syncing' }>): void {
    if (this.#phase !== 'syncing') {
      this.#phase = 'syncing'
      this.#before = sync.lines
      this.#sayState()
    }
    this.#sync = sync
    const { lines, total, bytes, elapsed } = sync
    this.#status.progress({ done: lines, before: this.#before, total, unit: 'lines', bytes, elapsed })
  }

  #sayLive(lines: number): void {
    if (this.#phase === 'live') return
    const sync = this.#sync
    this.#phase = 'live'
    this.#sync = null
    this.#sayState()
    if (sync === null || sync.elapsed < WORTH_SAYING_MS) return
    const { bytes, elapsed } = sync
    const got = `${grouped(lines - this.#before)} lines, ${formatBytes(bytes)}`
    this.#status.note(`synced ${got} in ${(elapsed / 1000).toFixed(1)} s`)
  }
}

function acknowledging({ holding, peers }: Extract<NodeStatus, { state: 'acknowledging' }>): string {
  const have = holding === 1 ? '1 has' : `${holding} have`
  return `waiting for ${peers === 1 ? '1 peer' : `${peers} peers`} to hold everything: ${have}`
}

/** What those want to know who want to know all. */
function detailOf(event: NodeStatus): string | undefined {
  switch (event.state) {
    case 'connecting':
      return `calling peer ${event.peer}, by ${event.via}`
    case 'failed':
      return `peer ${event.peer} cannot be reached by ${event.via}: ${event.reason}`
    case 'spare':
      return `peer ${event.peer} is there by ${event.via}, too; ${event.better} is kept`
    case 'refused':
      return event.by === 'us'
        ? `peer ${event.peer} is refused, by ${event.via}: ${event.reason}`
        : `peer ${event.peer} refuses this one, by ${event.via}: ${event.reason}`
    case 'connected':
      return `peer ${event.peer} is there, by ${event.via}`
    case 'disconnected':
      return `peer ${event.peer} has gone, by ${event.via}: ${event.reason}`
    case 'unreachable':
      return event.via === 'lan' ? `cannot look for peers by lan: ${event.reason}` : undefined
    case 'reachable':
      return event.via === 'lan' ? 'lan can be reached' : undefined
    case 'finding':
    case 'comparing':
    case 'regained':
    case 'damaged':
    case 'repaired':
    case 'syncing':
    case 'live':
    case 'waiting':
    case 'acknowledging':
      return undefined
  }
}
