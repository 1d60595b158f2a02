import { ignore, NodeError } from './errors.ts'

/** A writer or a reader. */
export interface Child {
  close(): Promise<void>
}

/** The writers and readers of a node, including those that are still opening. */
export class Children {
  readonly #children = new Set<Child>()
  #isClosed = false

  /**
   * Opens a child, which closes with the node. If the node closes during `open`, this aborts its signal, closes the child that it may
   * still return, and rejects with NodeError `CLOSED`.
   */
  async open<Opened extends Child>(open: (closing: AbortSignal) => Promise<Opened>): Promise<Opened> {
    if (this.#isClosed) throw closed()
    // one for each child: Node warns about many listeners of one signal
    const closing = new AbortController()
    const opening = open(closing.signal)
    const pending: Child = {
      close: () => {
        closing.abort(closed())
        return opening.then((child) => child.close(), ignore)
      }
    }
    this.#children.add(pending)
    try {
      const child = await opening
      closing.signal.throwIfAborted()
      this.#children.add(child)
      return child
    } catch (error) {
      closing.signal.throwIfAborted()
      throw error
    } finally {
      this.#children.delete(pending)
    }
  }

  /** Call this when `child` is closed. */
  remove(child: Child): void {
    this.#children.delete(child)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#children].map((child) => child.close()))
  }
}

function closed(): NodeError {
  return new NodeError('CLOSED', 'the node is closed')
}
