import type SecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'

/** A channel of this protocol is the promise. Its id is the public key of the peer that gives it. */
const PROTOCOL = 'many-cores/synced'

/** Promises the peer that this node announces a block only after an fsync. */
export function promiseFsync(stream: SecretStream): void {
  Protomux.from(stream).createChannel({ protocol: PROTOCOL, id: stream.publicKey })?.open()
}

/** Calls `listener` if the peer gives that promise. Plain Hypercore never does. */
export function onFsyncPromise(stream: SecretStream, listener: () => void): void {
  Protomux.from(stream).pair({ protocol: PROTOCOL }, listener)
}
