/** How a writer adopts a copied store. */
export interface AdoptOptions {
  /** Whether to do it without a peer: there is no other copy of the log. If there is one, the log may fork. Default false. */
  readonly isSoleCopy?: boolean
  /** How long to wait for a peer, in ms. Default 30,000; 0 = no limit. */
  readonly timeout?: number
}
