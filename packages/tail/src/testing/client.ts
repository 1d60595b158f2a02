import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { atEnd, deadline } from '@many-cores/testing'
import { type FollowOptions, follow, type TailStatus } from '../index.ts'

type Lost = Extract<TailStatus, { readonly state: 'lost' }>

/** A program that follows a log, and stores what it gets with the place of it. It can be stalled, stopped, and started again. */
export class Client {
  readonly statuses: TailStatus[] = []
  text = ''
  place = ''
  readonly #path: string
  readonly #options: FollowOptions
  #abort = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #hold: Promise<void> = Promise.resolve()
  #release: () => void = () => {}
  #wake: () => void = () => {}

  constructor(path: string, options: FollowOptions = {}) {
    this.#path = path
    this.#options = { grace: 20, ...options }
  }

  /** Started, and stopped when the test ends. */
  static async start(t: TestContext, path: string, options?: FollowOptions): Promise<Client> {
    const client = new Client(path, options)
    atEnd(t, () => client.stop().catch(() => {}))
    await client.start()
    return client
  }

  get lost(): Lost[] {
    return this.statuses.filter((status): status is Lost => status.state === 'lost')
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  /** Resolves after the first look. */
  async start(): Promise<void> {
    const before = this.place
    this.place = ''
    this.begin(before)
    await this.until('a place', () => this.place !== '')
  }

  /** Starts without waiting for anything. */
  begin(place: string = this.place): void {
    this.#abort = new AbortController()
    this.#running = this.#run({ ...(place !== '' && { from: place }), signal: this.#abort.signal })
  }

  /** Takes nothing more until `resume`. */
  stall(): void {
    this.#hold = new Promise((resolve) => {
      this.#release = resolve
    })
  }

  resume(): void {
    this.#release()
  }

  async stop(): Promise<void> {
    this.#release()
    this.#abort.abort()
    await deadline('the end of the iteration', this.#running)
  }

  /** Resolves at the end of an iteration that ends by itself. */
  async ended(): Promise<void> {
    await deadline('the end of the files', this.#running)
  }

  /** Continues up to the end of what is there. */
  async finish(options: FollowOptions = {}): Promise<void> {
    await this.stop()
    this.#running = this.#run({ ...(this.place !== '' && { from: this.place }), ...options, once: true })
    await this.ended()
  }

  /** Waits until it has `text`. */
  async has(text: string): Promise<void> {
    await this.until(JSON.stringify(text.slice(-200)), () => this.text.length >= text.length)
    assert.equal(this.text, text)
  }

  async status<State extends TailStatus['state']>(
    state: State
  ): Promise<Extract<TailStatus, { readonly state: State }>> {
    const find = (): TailStatus | undefined => this.statuses.find((status) => status.state === state)
    await this.until(`a status '${state}'`, () => find() !== undefined)
    return find() as Extract<TailStatus, { readonly state: State }>
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const isOver = { value: false }
    const wait = async (): Promise<void> => {
      while (!condition() && !isOver.value) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
    const failed = this.#running.then(() => {
      if (!condition()) throw new Error(`ended before ${what}`)
    })
    try {
      await deadline(what, Promise.race([wait(), failed]), 30_000)
    } catch (error) {
      const seen = `has ${JSON.stringify(this.text)}\n${this.statuses.map((status) => JSON.stringify(status)).join('\n')}`
      throw new Error(`${String(error)}\n${seen}`, { cause: error })
    } finally {
      isOver.value = true
      this.#wake()
    }
  }

  async #run(options: FollowOptions): Promise<void> {
    const pieces = follow(this.#path, {
      ...this.#options,
      ...options,
      onStatus: (status) => {
        this.statuses.push(status)
        this.#wake()
      }
    })
    for await (const piece of pieces) {
      if (options.signal?.aborted === true) break
      const bytes = Buffer.from(piece.bytes).toString()
      this.text += bytes
      // the last line of a file may have no newline
      if (piece.endsLine && this.text !== '' && !this.text.endsWith('\n')) this.text += '\n'
      this.place = piece.placeAt()
      assert.ok(this.place.length <= 3800, `${this.place.length} characters`)
      this.#wake()
      await this.#hold
    }
  }
}
