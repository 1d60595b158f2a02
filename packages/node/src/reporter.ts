/** Reports faults to listeners. A listener that is added later gets the earlier faults, too. */
export class Reporter<Fault> {
  readonly #reported = new Set<Fault>()
  readonly #listeners = new Set<(fault: Fault) => void>()

  /** Calls `listener` with every fault, past ones at once. Returns the function that removes it. */
  watch(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener)
    for (const fault of this.#reported) listener(fault)
    return () => void this.#listeners.delete(listener)
  }

  protected report(fault: Fault): void {
    this.#reported.add(fault)
    for (const listener of this.#listeners) listener(fault)
  }

  /** Reports that `fault` is `repaired`. Later listeners get neither. */
  protected resolve(fault: Fault, repaired: Fault): void {
    this.report(repaired)
    this.#reported.delete(repaired)
    this.#reported.delete(fault)
  }
}
