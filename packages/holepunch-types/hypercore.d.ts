declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'
  import type { Atom, CorestoreStorage } from 'corestore'
  import type RocksDB from 'rocksdb-native'

  interface HypercoreEvents {
    /** One event may stand for many blocks, or for history. */
    append: []
    /** A block came from a peer. */
    download: [index: number, byteLength: number, from: Peer]
    truncate: [length: number, fork: number]
    'peer-add': [peer: Peer]
    'peer-remove': [peer: Peer]
    conflict: [length: number, fork: number]
    close: []
  }

  interface Manifest {
    readonly version: 1
    readonly signers: readonly { readonly publicKey: Uint8Array }[]
  }

  interface Peer {
    readonly remotePublicKey: Uint8Array
    readonly remoteLength: number
    readonly remoteContiguousLength: number
    readonly remoteFork: number
    /** Whether it has announced the length of its core. */
    readonly remoteSynced: boolean
    readonly stream: SecretStream
    readonly core: SharedCore
    /** Whether its channel is closed. */
    readonly removed: boolean
    /** Sends a request, which it answers with data of the same `id`. */
    readonly wireRequest: { send(request: PeerRequest): unknown }
    /** Sends the answer that this side does not have the requested data. */
    readonly wireNoData: { send(answer: { readonly request: number; readonly reason: number }): unknown }
    /** Waiting requests, including cancelled ones. */
    readonly receiverQueue: {
      readonly length: number
      readonly queue: { readonly length: number }
      readonly priority: { readonly length: number }
    }
    /** Answers a request at once. */
    _handleRequest: (request: PeerRequest) => Promise<void>
    /** Cancels a request of the peer. */
    oncancel(message: { readonly request: number }): void
  }

  interface PeerRequest {
    /** 0 for a comparison of histories. */
    readonly id: number
    readonly fork: number
    readonly block: { readonly index: number } | null
    readonly hash: null
    readonly seek: null
    readonly upgrade: { readonly start: number; readonly length: number } | null
  }

  interface TreeNode {
    readonly index: number
    readonly size: number
    readonly hash: Uint8Array
  }

  /** Signed data of a peer that contradicts local data. */
  interface ConflictProof {
    readonly fork: number
    readonly upgrade: {
      /** Where the nodes end; the additional nodes end at the signed length. */
      readonly length: number
      readonly nodes: readonly TreeNode[]
      readonly additionalNodes: readonly TreeNode[]
      readonly signature: Uint8Array
    }
  }

  interface SessionOptions {
    readonly atom?: Atom
    readonly writable?: boolean
    readonly timeout?: number
  }

  interface GetOptions {
    readonly timeout?: number
  }

  interface Download {
    done(): Promise<unknown>
    destroy(): void
  }

  interface SharedCore {
    /** Keys from `gte` to `lt`, exclusive. */
    createUserDataStream(range: {
      readonly gte: string
      readonly lt: string
    }): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }>
    /** Compares stored blocks with their hashes; with `dryRun`, nothing is changed. */
    audit(options: { readonly dryRun: true }): Promise<Audit | null>
    /** Null until ready, if the core was opened by its discovery key. */
    readonly key: Uint8Array | null
    readonly replicator: Replicator
    /** Null until ready; so is `storage`. */
    readonly header: { readonly keyPair: unknown }
    readonly state: {
      readonly fork: number
      readonly length: number
      readonly roots: readonly TreeNode[]
      readonly signature: Uint8Array | null
    }
    /** Which blocks are stored. */
    readonly bitfield: { get(index: number): boolean }
    _setBitfieldRanges(start: number, end: number, isSet: boolean): void
    updateContiguousLength(change: {
      readonly start: number
      readonly length: number
      readonly drop: boolean
    }): void
    /** The core's session of the database. */
    readonly storage: { readonly db: RocksDB }
    ready(): Promise<void>
    readonly opened: boolean
    readonly closing: Promise<void> | null
    /** Stores the contiguous lengths of this core and its peers, if they have changed. */
    flushHints(): Promise<void>
    /** Verifies data from a peer and stores it. */
    verify(proof: unknown, from: unknown): Promise<boolean>
    /** Adopts a verified history of another fork, and truncates this core to what both have in common. */
    reorg(batch: {
      readonly ancestors: number
      readonly fork: number
      readonly length: number
      readonly roots: readonly TreeNode[]
      readonly signature: Uint8Array | null
    }): Promise<boolean>
    /** Closes all sessions once two verified signatures of one length contradict each other. */
    _onconflict(proof: ConflictProof): Promise<void>
  }

  interface Replicator {
    readonly peers: readonly Peer[]
    /** Whether histories of other forks are requested. */
    allowFork: boolean
    /** Whether a longer history is requested as soon as a peer has one. */
    eagerUpgrade: boolean
    /** Resolves requests for blocks that are stored by now. */
    _resolveBlocksLocally: () => Promise<void>
    /** Requests a block from peers, until it arrives or the session of `requests` closes. */
    addBlock(requests: unknown[], index: number, isForced: boolean): { readonly promise: Promise<Uint8Array> }
    /** Requests what is wanted from peers. Drops at most one cancelled request of its queue. */
    updateAll(): void
    /** Announces to peers that blocks are stored, or no longer stored. */
    onhave(start: number, length: number, isDropped: boolean): void
  }

  interface Audit {
    readonly droppedBlocks: number
    readonly droppedTreeNodes: number
    readonly corrupt: boolean
  }

  /** `Value` is a block, decoded by the session's valueEncoding: bytes without one, anything for 'json'. */
  class Hypercore<Value = Uint8Array> extends EventEmitter<HypercoreEvents> {
    /** The key of the core with this manifest. */
    static key(manifest: Manifest): Uint8Array
    static discoveryKey(key: Uint8Array): Uint8Array
    /** The storage that a Corestore makes itself, with options that it does not pass on. */
    static defaultStorage(directory: string, options: { readonly writeBufferSize: number }): CorestoreStorage

    readonly key: Uint8Array | null
    readonly discoveryKey: Uint8Array | null
    /** 0 until ready. */
    readonly length: number
    readonly fork: number
    readonly writable: boolean
    readonly contiguousLength: number
    /** The longest contiguous length that a peer has announced. */
    readonly remoteContiguousLength: number
    readonly peers: readonly Peer[]
    readonly opened: boolean
    readonly closing: Promise<void> | null
    readonly closed: boolean

    ready(): Promise<void>
    close(): Promise<void>

    /** Null only if `wait` is false and the block is not stored. `raw` skips valueEncoding and decryption. */
    get(index: number, options?: GetOptions & { readonly wait?: true }): Promise<Value>
    get(
      index: number,
      options: GetOptions & { readonly wait?: true; readonly raw: true }
    ): Promise<Uint8Array>
    get(index: number, options: GetOptions & { readonly wait: boolean }): Promise<Value | null>
    get(
      index: number,
      options: GetOptions & { readonly wait: boolean; readonly raw: true }
    ): Promise<Uint8Array | null>
    has(start: number, end?: number): Promise<boolean>
    append(
      blocks: Value | readonly Value[]
    ): Promise<{ readonly length: number; readonly byteLength: number }>
    /** Drops all blocks from `length` on, and begins another fork. */
    truncate(length: number): Promise<void>
    clear(start: number, end?: number): Promise<unknown>
    download(range: { readonly start?: number; readonly end?: number; readonly linear?: boolean }): Download

    /** Whether the length grew. Waits for a peer if `findingPeers` is pending or `wait` is true. */
    update(options?: { readonly wait?: boolean; readonly force?: boolean }): Promise<boolean>
    findingPeers(): () => void

    /** A session does not inherit valueEncoding. */
    session(options: SessionOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    session(options?: SessionOptions): Hypercore
    snapshot(options: SessionOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    snapshot(options?: SessionOptions): Hypercore

    /** The pending requests of this session. */
    readonly activeRequests: unknown[]
    /** Shared by all sessions; undocumented upstream. */
    readonly core: SharedCore

    getUserData(key: string): Promise<Uint8Array | null>
    setUserData(key: string, value: Uint8Array): Promise<void>
  }

  export type {
    Audit,
    ConflictProof,
    Download,
    GetOptions,
    HypercoreEvents,
    Manifest,
    Peer,
    PeerRequest,
    Replicator,
    SessionOptions,
    SharedCore,
    TreeNode
  }
  export default Hypercore
}
