export interface VerifyOptions {
  /** How long to wait for a peer, and for any block, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up: rejects with its reason. */
  readonly signal?: AbortSignal
  /** Told how many lines have been verified, as it goes on. Default: nobody. */
  readonly onProgress?: (lines: number) => void
}

/** What was read and found to be right. */
export interface Verification {
  readonly lines: number
  readonly batches: number
  /** Blocks of all data cores. */
  readonly blocks: number
  readonly bytes: number
  /** False where no peer could be asked whether there is more than what is stored here. */
  readonly reached: boolean
}
