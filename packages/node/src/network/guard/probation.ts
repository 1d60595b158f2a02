import type SecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'
import { HYPERCORE } from './serving.ts'

/** Peers name their cores at once: in some seconds on a very busy machine, and 1.6 MB for 16,384 cores. */
const PROBATION_MS = 30_000
const PROBATION_BYTES = 2 * 1024 * 1024

/**
 * Any peer can connect. One that shares a log shows it by opening one of the log's cores, which takes the
 * core's key. A peer that does not is disconnected after a while, and costs little until then.
 */
export class Probation {
  readonly since: number = performance.now()
  readonly #stream: SecretStream
  #isOver = false

  /** `stream` is open and already replicated: Protomux must handle data before it is counted here. */
  constructor(stream: SecretStream) {
    this.#stream = stream
    const raw = stream.rawStream
    let bytes = 0
    const fail = (): void => {
      if (!this.isOver) stream.destroy(new Error('the peer shares no log with this node'))
    }
    const count = (chunk: Uint8Array): void => {
      bytes += chunk.byteLength
      if (bytes > PROBATION_BYTES) fail()
      if (this.isOver) end()
    }
    const timer = setTimeout(fail, PROBATION_MS).unref()
    const end = (): void => {
      clearTimeout(timer)
      raw?.off('data', count)
    }
    raw?.on('data', count)
    stream.once('close', end)
  }

  /** Whether the peer has shown that it knows a core of this node. Stays true: idle cores are closed. */
  get isOver(): boolean {
    this.#isOver ||= [...Protomux.from(this.#stream)].some(
      ({ protocol, opened }) => protocol === HYPERCORE && opened
    )
    return this.#isOver
  }
}
