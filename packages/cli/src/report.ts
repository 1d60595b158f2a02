import type { Status as NodeStatus, OnStatus } from '@many-cores/node'
import type { Status } from './status.ts'

/** Says on standard error what happens around a node. */
export function reportTo(status: Status): OnStatus {
  return (event) => {
    const { state, note, detail } = describe(event)
    if (detail !== undefined) status.detail(detail)
    if (note !== undefined) status.note(note)
    if (state !== undefined) status.state(state)
  }
}

interface Description {
  readonly state?: string
  readonly note?: string
  readonly detail?: string
}

function describe(event: NodeStatus): Description {
  switch (event.state) {
    case 'finding':
      return { state: 'finding peers' }
    case 'connected':
      return {
        state: `connected to ${countPeers(event.peers)}`,
        detail: `peer ${event.peer} is there, by ${event.via}`
      }
    case 'disconnected':
      return {
        state: event.peers === 0 ? 'alone; waiting for peers' : `connected to ${countPeers(event.peers)}`,
        detail: `peer ${event.peer} has gone, by ${event.via}: ${event.reason}`
      }
    case 'unreachable':
      return { note: `cannot look for peers by ${event.via}: ${event.reason}` }
    case 'waiting':
      return { state: `waiting for block ${event.index} of core ${event.core}: no peer has sent it` }
  }
}

function countPeers(count: number): string {
  return count === 1 ? '1 peer' : `${count} peers`
}
