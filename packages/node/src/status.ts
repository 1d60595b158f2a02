/** How a peer is connected: on this machine, in its network, over the internet, or over the internet through a relay. */
export type Via = 'local' | 'lan' | 'dht' | 'relay'

/** An event of a node, for people to read. */
export type Status =
  /** The node starts to search for peers of a log. */
  | { readonly state: 'finding' }
  /** The node has found a peer, and connects to it. */
  | { readonly state: 'connecting'; readonly via: Via; readonly peer: string }
  /** The attempt failed. The node tries again. */
  | { readonly state: 'failed'; readonly via: Via; readonly peer: string; readonly reason: string }
  /** A peer is connected; `peers` is the number of connected peers. */
  | { readonly state: 'connected'; readonly via: Via; readonly peer: string; readonly peers: number }
  /** A second connection to a connected peer was closed. */
  | { readonly state: 'spare'; readonly via: Via; readonly peer: string; readonly better: Via }
  /** This node has refused a peer, or a peer has refused it; the latter may also be reported as `connected` and `disconnected`. */
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
  /** A network cannot be used now. The node tries again, and uses the others. */
  | { readonly state: 'unreachable'; readonly via: Via; readonly reason: string }
  /** The network can be used again. */
  | { readonly state: 'reachable'; readonly via: Via }
  /** After an unclean shutdown, a writer checks peers for newer lines. If it finds no peer, it waits for at most `timeout` ms. */
  | { readonly state: 'comparing'; readonly timeout: number }
  /** A writer has recovered lines from peers that its store had lost. */
  | { readonly state: 'recovered'; readonly lines: number }
  /** A reader delivers older lines: `lines` of `total`, and `bytes` since it started. */
  | {
      readonly state: 'syncing'
      readonly lines: number
      readonly total: number
      readonly bytes: number
      /** Since it started, in ms. */
      readonly elapsed: number
    }
  /** A reader has delivered every line that its peers are known to have, `lines` in total, and waits for more. */
  | { readonly state: 'live'; readonly lines: number }
  /** A damaged store was renamed to `aside`, and is rebuilt from peers. */
  | { readonly state: 'rebuilding'; readonly aside: string }
  /** A stored block cannot be read. It is fetched from the first peer that has it. */
  | { readonly state: 'damaged'; readonly core: string; readonly index: number }
  /** A peer has sent a damaged block again. */
  | { readonly state: 'repaired'; readonly core: string; readonly index: number }
  /** A reader waits for a block that the journal names and no peer has sent. */
  | { readonly state: 'waiting'; readonly core: string; readonly index: number }
  /** A writer waits until `peers` peers hold everything. `holding` of them do. */
  | { readonly state: 'acknowledging'; readonly holding: number; readonly peers: number }

/** Called synchronously with each event. Must not throw. */
export type OnStatus = (status: Status) => void
