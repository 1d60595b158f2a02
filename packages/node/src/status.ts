/** How a peer was reached: over a socket of this machine, or over the DHT. */
export type Via = 'local' | 'dht'

/** What happens around a node, for people to look at. */
export type Status =
  /** Looking for peers of a log, from now on. */
  | { readonly state: 'finding' }
  /** A peer is there; `peers` counts all of them. */
  | { readonly state: 'connected'; readonly via: Via; readonly peer: string; readonly peers: number }
  | {
      readonly state: 'disconnected'
      readonly via: Via
      readonly peer: string
      readonly peers: number
      readonly reason: string
    }
  /** One way of finding peers cannot be used for now; the others go on. */
  | { readonly state: 'unreachable'; readonly via: Via; readonly reason: string }
  /** A reader waits for a block that the journal names and nobody has sent. */
  | { readonly state: 'waiting'; readonly core: string; readonly index: number }

/** Called as things happen, synchronously; must not throw. */
export type OnStatus = (status: Status) => void
