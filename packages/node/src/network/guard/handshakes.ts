import type SecretStream from '@hyperswarm/secret-stream'

/** In a flood, the oldest are dropped; an honest handshake takes milliseconds. */
const MAX_HANDSHAKES = 128

/**
 * A handshake takes seconds on a very busy machine, and less than 300 bytes; one chunk of later data may
 * follow. Its first three bytes can announce 16 MiB, which secret-stream 6.9 would buffer.
 */
const HANDSHAKE_TIMEOUT_MS = 10_000
const HANDSHAKE_BYTES = 128 * 1024

/** Connections to peers that are not authenticated yet: a limited number, for a limited time. */
export class Handshakes {
  readonly streams: Set<SecretStream> = new Set()

  /** Resolves to whether the handshake succeeded. Never rejects. */
  async await(stream: SecretStream): Promise<boolean> {
    const [oldest] = this.streams
    if (oldest !== undefined && this.streams.size >= MAX_HANDSHAKES) {
      oldest.destroy(new Error('too many handshakes at once'))
      this.streams.delete(oldest)
    }
    this.streams.add(stream)
    const fail = (): void => stream.destroy(new Error('the peer sent no handshake'))
    const raw = stream.rawStream
    let bytes = 0
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength
      if (bytes > HANDSHAKE_BYTES) fail()
    }
    raw?.on('data', count)
    const timer = setTimeout(fail, HANDSHAKE_TIMEOUT_MS).unref()
    const opened = await stream.opened
    clearTimeout(timer)
    raw?.off('data', count)
    this.streams.delete(stream)
    return opened
  }
}
