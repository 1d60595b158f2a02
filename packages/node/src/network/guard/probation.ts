import type SecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'

/** Both ends name their cores at once; a machine that is very busy takes some seconds. */
const PROBATION_MS = 30_000

/** Naming 16,384 cores takes 1.6 MB. */
const PROBATION_BYTES = 2 * 1024 * 1024

const HYPERCORE = 'hypercore/alpha'

/**
 * Anybody can connect; who shares a log with us shows it by opening one of its cores, which takes the core's key. Until then,
 * or if that does not come, a peer costs little.
 */
export class Probation {
  readonly since: number = performance.now()
  readonly #stream: SecretStream
  #isOver = false

  /** `stream` is open and replicated already: what opens its channels must run before what looks at them. */
  constructor(stream: SecretStream) {
    this.#stream = stream
    const raw = stream.rawStream
    let bytes = 0
    const fail = (reason: string): void => {
      if (!this.isOver) stream.destroy(new Error(reason))
    }
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength
      if (bytes > PROBATION_BYTES) fail('it sends much and shares no log')
      if (this.isOver) end()
    }
    const timer = setTimeout(() => fail('it shares no log'), PROBATION_MS)
    timer.unref()
    const end = (): void => {
      clearTimeout(timer)
      raw?.off('data', count)
    }
    raw?.on('data', count)
    stream.once('close', end)
  }

  /** Whether the peer has shown that it knows a core of ours. Stays so: idle cores are closed again. */
  get isOver(): boolean {
    this.#isOver ||= [...Protomux.from(this.#stream)].some(
      ({ protocol, opened }) => protocol === HYPERCORE && opened
    )
    return this.#isOver
  }
}
