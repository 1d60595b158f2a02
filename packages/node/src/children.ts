import { ignore, NodeError } from './errors.ts'

/** What is opened on a node, and closed before its store. */
export interface Child {
  close(): Promise<void>
}

/** The writers and readers of a node, those included that are being opened. */
export class Children {
  readonly #children = new Set<Child>()
  #isClosed = false

  /**
   * What `open` returns, closed when the node closes. Where that happens meanwhile, `open` is told by its signal, what it may still
   * return is closed, and this rejects with NodeError `CLOSED`.
   */
  async adopt<Opened extends Child>(open: (closing: AbortSignal) => Promise<Opened>): Promise<Opened> {
    if (this.#isClosed) throw closed()
    // one for each: listeners of many would look like a leak
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

  /** `child` is closed. */
  forget(child: Child): void {
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
