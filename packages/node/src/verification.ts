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
