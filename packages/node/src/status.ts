/**
 * How a peer is reached: over a socket of this machine; over the network that this machine is in; over the internet; over
 * the internet with a relay between.
 */
export type Via = 'local' | 'lan' | 'dht' | 'relay'

/** What happens around a node, for people to look at. */
export type Status =
  /** Looking for peers of a log, from now on. */
  | { readonly state: 'finding' }
  /** A peer was found and is being called. */
  | { readonly state: 'connecting'; readonly via: Via; readonly peer: string }
  /** It did not work out; it is tried again as long as the node is open. */
  | { readonly state: 'failed'; readonly via: Via; readonly peer: string; readonly reason: string }
  /** A peer is there; `peers` counts all of them. */
  | { readonly state: 'connected'; readonly via: Via; readonly peer: string; readonly peers: number }
  /** A second connection to a connected peer was not kept. */
  | { readonly state: 'spare'; readonly via: Via; readonly peer: string; readonly better: Via }
  /** A peer was not let in by us, or does not let us in; of the latter, `connected` and `disconnected` tell as well. */
  | {
      readonly state: 'refused'
      readonly via: Via
      readonly peer: string
      readonly by: 'us' | 'them'
      readonly reason: string
    }
  | {
      readonly state: 'disconnected'
      readonly via: Via
      readonly peer: string
      readonly peers: number
      readonly reason: string
    }
  /** One way of finding peers cannot be used for now; the others go on, and it is tried again. */
  | { readonly state: 'unreachable'; readonly via: Via; readonly reason: string }
  /** It can be used again, or at last. */
  | { readonly state: 'reachable'; readonly via: Via }
  /** After an unclean shutdown, a writer checks peers for newer lines. If it finds no peer, it waits for at most `timeout` ms. */
  | { readonly state: 'comparing'; readonly timeout: number }
  /** A writer has recovered lines from peers that its store had lost. */
  | { readonly state: 'recovered'; readonly lines: number }
  /** A reader is delivering what was there before. `lines` of `total` are delivered; `bytes` since it began. */
  | {
      readonly state: 'syncing'
      readonly lines: number
      readonly total: number
      readonly bytes: number
      /** Since it began, in ms. */
      readonly elapsed: number
    }
  /** A reader has delivered all that its peers are known to have, `lines` in all, and waits for more. */
  | { readonly state: 'live'; readonly lines: number }
  /** A stored block cannot be read any more: it is fetched from the first peer that has it. */
  | { readonly state: 'damaged'; readonly core: string; readonly index: number }
  /** A peer has sent a damaged block again. */
  | { readonly state: 'repaired'; readonly core: string; readonly index: number }
  /** A reader waits for a block that the journal names and nobody has sent. */
  | { readonly state: 'waiting'; readonly core: string; readonly index: number }
  /** A writer waits until `peers` peers hold everything; `holding` of them have said so. */
  | { readonly state: 'acknowledging'; readonly holding: number; readonly peers: number }

/** Called as things happen, synchronously; must not throw. */
export type OnStatus = (status: Status) => void
