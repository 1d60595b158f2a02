import type SecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'

/** Opened by a peer that syncs what it stores before it says that it has it. Its id is the peer's public key. */
const PROTOCOL = 'many-cores/synced'

/** Tells the other end that this one says of no block that it has it before the block is on its disk. */
export function promiseSync(stream: SecretStream): void {
  Protomux.from(stream).createChannel({ protocol: PROTOCOL, id: stream.publicKey })?.open()
}

/** Hears that promise from the other end. Plain Hypercore never gives it. */
export function onSyncPromise(stream: SecretStream, listener: () => void): void {
  Protomux.from(stream).pair({ protocol: PROTOCOL }, listener)
}
