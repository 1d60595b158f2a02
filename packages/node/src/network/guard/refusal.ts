import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import Protomux from 'protomux'

/** Why a peer is not let in. */
export type Refusal = 'not-allowed' | 'full'

/** Opened, with the reason as its id, by who refuses. Peers that do not know it see the connection end. */
const PROTOCOL = 'many-cores/refusal'

/** Whoever has not taken the reason by then goes without. */
const GOODBYE_MS = 1000

/** Tells the other end why, and ends the connection. */
export function refuse(stream: SecretStream, reason: Refusal): void {
  const timer = setTimeout(() => stream.destroy(), GOODBYE_MS)
  timer.unref()
  stream.once('close', () => clearTimeout(timer))
  Protomux.from(stream)
    .createChannel({ protocol: PROTOCOL, id: b4a.from(reason) })
    ?.open()
  stream.end()
}

/** Hears why the other end refuses us, should it do so. */
export function onRefusal(stream: SecretStream, listener: (reason: Refusal) => void): void {
  Protomux.from(stream).pair({ protocol: PROTOCOL }, (id) => {
    const reason = id === null ? '' : b4a.toString(id)
    if (reason === 'not-allowed' || reason === 'full') listener(reason)
  })
}
