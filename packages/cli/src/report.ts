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

class Report {
  readonly #status: Status
  readonly #peers = new Map<string, Via>()
  readonly #refusals = new Set<string>()
  /** What is done, beside being connected: `syncing`, `live`, or what a writer waits for. */
  #phase = ''
  #sync: Extract<NodeStatus, { state: 'syncing' }> | null = null
  /** The last peer has gone just now, and that is not said yet. */
  #aloneSoon: NodeJS.Timeout | null = null
  /** Lines that were delivered before this sync. */
  #before = 0

  constructor(status: Status) {
    this.#status = status
  }

  take(event: NodeStatus): void {
    switch (event.state) {
      case 'finding':
        this.#status.state('finding peers')
        break
      case 'connecting':
        this.#status.detail(`calling peer ${event.peer}, by ${event.via}`)
        // said once: peers that do not answer are called again and again
        if (this.#peers.size === 0) this.#status.state(`connecting to a peer, by ${event.via}`)
        break
      case 'failed':
        this.#status.detail(`peer ${event.peer} cannot be reached by ${event.via}: ${event.reason}`)
        break
      case 'spare':
        this.#status.detail(`peer ${event.peer} is there by ${event.via}, too; ${event.better} is kept`)
        break
      case 'connected':
        this.#peers.set(event.peer, event.via)
        this.#status.detail(`peer ${event.peer} is there, by ${event.via}`)
        this.#sayState()
        break
      case 'disconnected':
        this.#peers.delete(event.peer)
        this.#status.detail(`peer ${event.peer} has gone, by ${event.via}: ${event.reason}`)
        if (this.#peers.size === 0) this.#sayAloneSoon()
        else this.#sayState()
        break
      case 'unreachable':
        this.#sayWay(event.via, `cannot look for peers by ${event.via}: ${event.reason}`)
        break
      case 'reachable':
        this.#sayWay(event.via, `${event.via} can be reached`)
        break
      case 'refused':
        this.#sayRefused(event)
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
          `unclean shutdown: checking peers for newer lines (up to ${event.timeout / 1000} s)`
        )
        break
      case 'recovered':
        this.#status.note(`recovered ${grouped(event.lines)} lines from peers that this store did not have`)
        break
      case 'damaged':
        this.#status.note(
          `block ${event.index} of core ${event.core} is damaged in this store: fetching it from a peer that has it`
        )
        break
      case 'repaired':
        this.#status.note(`block ${event.index} of core ${event.core} was repaired from a peer`)
    }
  }

  /** A machine without a network of its own is no fault: the other ways go on. */
  #sayWay(via: Via, text: string): void {
    if (via === 'lan') this.#status.detail(text)
    else this.#status.note(text)
  }

  #sayAloneSoon(): void {
    this.#aloneSoon ??= setTimeout(() => {
      this.#aloneSoon = null
      this.#sayState()
    }, ALONE_MS).unref()
  }

  #sayRefused({ by, peer, via, reason }: Extract<NodeStatus, { state: 'refused' }>): void {
    this.#status.detail(
      `peer ${peer} ${by === 'us' ? 'is refused' : 'refuses this one'}, by ${via}: ${reason}`
    )
    // whom we refuse is for those who want to know all: anybody may knock; and who was refused calls again
    if (by === 'us' || this.#refusals.has(reason)) return
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
