import { NodeError } from './errors.ts'

/** What is opened on a node, and closed before its store. */
export interface Child {
  close(): Promise<void>
}

/** The writers and readers of a node, those included that are being opened. */
export class Children {
  readonly #children = new Set<Child>()
  readonly #closing = new AbortController()

  /**
   * What `open` returns, closed when the node closes. Where that happens meanwhile, `open` is told by its signal, what it may still
   * return is closed, and this rejects with NodeError `CLOSED`.
   */
  async adopt<Opened extends Child>(open: (closing: AbortSignal) => Promise<Opened>): Promise<Opened> {
    const { signal } = this.#closing
    signal.throwIfAborted()
    const opening = open(signal)
    const pending: Child = { close: () => opening.then((child) => child.close(), ignore) }
    this.#children.add(pending)
    try {
      const child = await opening
      signal.throwIfAborted()
      this.#children.add(child)
      return child
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      this.#children.delete(pending)
    }
  }

  /** `child` is closed. */
  forget(child: Child): void {
    this.#children.delete(child)
  }

  async close(): Promise<void> {
    this.#closing.abort(new NodeError('CLOSED', 'the node is closed'))
    await Promise.all([...this.#children].map((child) => child.close()))
  }
}

function ignore(): void {}
