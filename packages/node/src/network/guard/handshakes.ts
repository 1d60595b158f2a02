import type SecretStream from '@hyperswarm/secret-stream'

/** A flood pushes out the oldest; an honest handshake takes milliseconds. */
const MAX_HANDSHAKES = 128

/** A machine that is very busy takes some seconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000

/**
 * A handshake has less than 300 bytes, and one chunk of what follows may come with its last part. Its first three bytes could
 * announce a message of 16 MiB, which secret-stream 6.9 would gather.
 */
const HANDSHAKE_BYTES = 128 * 1024

/** Connections whose other end has not said who it is: few, and not for long. */
export class Handshakes {
  readonly #streams = new Set<SecretStream>()

  /** Resolves to whether the handshake came about. Never rejects. */
  async await(stream: SecretStream): Promise<boolean> {
    const [oldest] = this.#streams
    if (oldest !== undefined && this.#streams.size >= MAX_HANDSHAKES) {
      oldest.destroy(new Error('too many others knock'))
      this.#streams.delete(oldest)
    }
    this.#streams.add(stream)
    const raw = stream.rawStream
    let bytes = 0
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength
      if (bytes > HANDSHAKE_BYTES) stream.destroy(new Error('it sends no handshake'))
    }
    raw?.on('data', count)
    const timer = setTimeout(
      () => stream.destroy(new Error('it does not say who it is')),
      HANDSHAKE_TIMEOUT_MS
    )
    timer.unref()
    const opened = await stream.opened
    clearTimeout(timer)
    raw?.off('data', count)
    this.#streams.delete(stream)
    return opened
  }

  [Symbol.iterator](): Iterator<SecretStream> {
    return this.#streams.values()
  }
}
