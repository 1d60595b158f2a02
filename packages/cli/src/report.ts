import type { Status as NodeStatus, OnStatus, Via } from '@many-cores/node'
import { formatTransfer, grouped } from './progress.ts'
import type { Status } from './status.ts'
import { plural } from './text.ts'

/** A shorter sync gets no summary. */
const MIN_SUMMARY_MS = 1000

/** A peer that restarts is usually back within this time: until then, it still counts as connected in the status. */
const ALONE_MS = 1000

const VIAS: Readonly<Record<Via, string>> = {
  local: 'local socket',
  lan: 'local network',
  dht: 'DHT',
  relay: 'relay'
}

/** Reports the events of a node on standard error. */
export function reportTo(status: Status): OnStatus {
  const report = new Report(status)
  return (event) => report.onEvent(event)
}

class Report {
  readonly #status: Status
  readonly #peers = new Map<string, Via>()
  readonly #refusals = new Set<string>()
  /** Shown before the connections: `syncing`, `live`, or how many peers have acknowledged. */
  #phase = ''
  #sync: Extract<NodeStatus, { state: 'syncing' }> | null = null
  /** Runs when the last peer has disconnected and the status does not say so yet. */
  #aloneTimer: NodeJS.Timeout | null = null
  /** Lines that were delivered before this sync. */
  #before = 0

  constructor(status: Status) {
    this.#status = status
  }

  onEvent(event: NodeStatus): void {
    const status = this.#status
    const via = 'via' in event ? VIAS[event.via] : ''
    switch (event.state) {
      case 'finding':
        status.state('finding peers')
        break
      case 'connecting':
        status.detail(`connecting to peer ${event.peer} (${via})`)
        // without the peer's key: the same text is not repeated when unreachable peers are tried again
        if (this.#peers.size === 0) status.state(`connecting to a peer (${via})`)
        break
      case 'failed':
        status.detail(`cannot connect to peer ${event.peer} (${via}): ${event.reason}`)
        break
      case 'spare':
        status.detail(
          `closed a second connection to peer ${event.peer} (${via}): keeping ${VIAS[event.better]}`
        )
        break
      case 'connected':
        this.#peers.set(event.peer, event.via)
        status.detail(`connected to peer ${event.peer} (${via})`)
        this.#showState()
        break
      case 'disconnected':
        this.#peers.delete(event.peer)
        status.detail(`peer ${event.peer} disconnected (${via}): ${event.reason}`)
        if (this.#peers.size === 0) this.#startAloneTimer()
        else this.#showState()
        break
      case 'unreachable':
        this.#reportNetwork(event.via, `cannot find peers (${via}): ${event.reason}`)
        break
      case 'reachable':
        this.#reportNetwork(event.via, `can find peers (${via})`)
        break
      case 'refused':
        this.#reportRefusal(event)
        break
      case 'syncing':
        this.#reportSync(event)
        break
      case 'live':
        this.#reportLive(event.lines)
        break
      case 'waiting':
        status.state(`waiting for block ${event.index} of core ${event.core}: no peer has sent it`)
        break
      case 'acknowledging':
        this.#phase = `acknowledged by ${event.holding} of ${event.peers} ${plural(event.peers, 'peer')}`
        this.#showState()
        break
      case 'comparing':
        status.state(`unclean shutdown: checking peers for newer lines (up to ${event.timeout / 1000} s)`)
        break
      case 'recovered':
        status.note(
          `recovered ${grouped(event.lines)} ${plural(event.lines, 'line')} from peers that this store did not have`
        )
        break
      case 'rebuilding':
        status.note(`moved the damaged store to ${event.aside}, rebuilding it from peers`)
        break
      case 'damaged':
        status.note(`block ${event.index} of core ${event.core} is damaged: fetching it from a peer`)
        break
      case 'repaired':
        status.note(`repaired block ${event.index} of core ${event.core} from a peer`)
    }
  }

  /** Without a local network, peers are still found in other ways: a detail. */
  #reportNetwork(via: Via, text: string): void {
    if (via === 'lan') this.#status.detail(text)
    else this.#status.note(text)
  }

  #startAloneTimer(): void {
    this.#aloneTimer ??= setTimeout(() => {
      this.#aloneTimer = null
      this.#showState()
    }, ALONE_MS).unref()
  }

  #reportRefusal({ by, peer, via, reason }: Extract<NodeStatus, { state: 'refused' }>): void {
    this.#status.detail(`${by === 'us' ? 'refused' : 'refused by'} peer ${peer} (${VIAS[via]}): ${reason}`)
    // anyone may try to connect: peers that this one refuses are details. A refused peer tries again: one note per reason
    if (by === 'us' || this.#refusals.has(reason)) return
    this.#refusals.add(reason)
    this.#status.note(`refused by a peer: ${reason}`)
  }

  #showState(): void {
    if (this.#peers.size === 0 && this.#aloneTimer !== null) return
    const connections = this.#peers.size === 0 ? 'no peers, still looking' : this.#connections()
    this.#status.state(this.#phase === '' ? connections : `${this.#phase}; ${connections}`)
  }

  #connections(): string {
    const vias = new Set([...this.#peers.values()].map((via) => VIAS[via]))
    const count = this.#peers.size
    return `connected to ${count} ${plural(count, 'peer')} (${[...vias].sort().join(', ')})`
  }

  #reportSync(sync: Extract<NodeStatus, { state: 'syncing' }>): void {
    if (this.#phase !== 'syncing') {
      this.#phase = 'syncing'
      this.#before = sync.lines
      this.#showState()
    }
    this.#sync = sync
    const { lines, total, bytes, elapsed } = sync
    this.#status.progress({ done: lines, before: this.#before, total, unit: 'line', bytes, elapsed })
  }

  #reportLive(lines: number): void {
    if (this.#phase === 'live') return
    const sync = this.#sync
    this.#phase = 'live'
    this.#sync = null
    this.#showState()
    if (sync === null || sync.elapsed < MIN_SUMMARY_MS) return
    this.#status.note(`synced ${formatTransfer(lines - this.#before, 'line', sync.bytes, sync.elapsed)}`)
  }
}
