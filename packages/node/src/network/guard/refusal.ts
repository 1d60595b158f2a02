import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import Protomux from 'protomux'

/** Why a peer is refused. */
export type Refusal = 'not-allowed' | 'full'

/** A channel with the reason as its id tells the peer. A peer that does not know the protocol sees the connection end. */
const PROTOCOL = 'many-cores/refusal'

/** If sending the reason takes longer than this, the connection is cut. */
const GOODBYE_MS = 1000

/** Sends the reason to the peer and ends the connection. */
export function refuse(stream: SecretStream, reason: Refusal): void {
  const timer = setTimeout(() => stream.destroy(), GOODBYE_MS).unref()
  stream.once('close', () => clearTimeout(timer))
  Protomux.from(stream)
    .createChannel({ protocol: PROTOCOL, id: b4a.from(reason) })
    ?.open()
  stream.end()
}

/** Calls `listener` if the peer refuses this node. */
export function onRefusal(stream: SecretStream, listener: (reason: Refusal) => void): void {
  Protomux.from(stream).pair({ protocol: PROTOCOL }, (id) => {
    const reason = id === null ? '' : b4a.toString(id)
    if (reason === 'not-allowed' || reason === 'full') listener(reason)
  })
}
