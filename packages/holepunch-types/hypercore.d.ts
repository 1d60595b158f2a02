declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'
  import type { Atom, CorestoreStorage } from 'corestore'
  import type RocksDB from 'rocksdb-native'

  interface HypercoreEvents {
    /** A wake-up: one event may stand for many blocks, or for history. */
    append: []
    /** A block came from a peer. */
    download: [index: number, byteLength: number, from: Peer]
    truncate: [length: number, fork: number]
    'peer-add': [peer: Peer]
    'peer-remove': [peer: Peer]
    conflict: [length: number, fork: number]
    'verification-error': [error: Error]
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
    /** Whether it has said how long the core is that it holds. */
    readonly remoteSynced: boolean
    readonly stream: SecretStream
    readonly core: SharedCore
    /** Whether its channel is closed. */
    readonly removed: boolean
    /** Asks it; it answers with data of the same `id`. */
    readonly wireRequest: { send(request: PeerRequest): unknown }
    /** Answers that it does not have what was asked for. */
    readonly wireNoData: { send(answer: { readonly request: number; readonly reason: number }): unknown }
    /** Requests that wait, those included that were cancelled meanwhile. */
    readonly receiverQueue: {
      readonly length: number
      readonly queue: { readonly length: number }
      readonly priority: { readonly length: number }
    }
    /** Answers a request now. */
    _handleRequest: (request: PeerRequest) => Promise<void>
    /** Forgets a request of the other end. */
    oncancel(message: { readonly request: number }): void
  }

  interface PeerRequest {
    /** 0: for a comparison of histories. */
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

  /** What a peer has that was signed, and does not fit to what is here. */
  interface ConflictProof {
    readonly fork: number
    readonly upgrade: {
      /** Up to where the nodes reach; the additional ones reach up to what is signed. */
      readonly length: number
      readonly nodes: readonly TreeNode[]
      readonly additionalNodes: readonly TreeNode[]
      readonly signature: Uint8Array
    }
  }

  interface SessionOptions {
    readonly atom?: Atom
    readonly writable?: boolean
    readonly active?: boolean
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
    /** Compares what is stored with its hashes; with `dryRun` nothing is changed. */
    audit(options: { readonly dryRun: true }): Promise<Audit | null>
    /** Null until ready, where the core was asked for by its discovery key. */
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
    /** Which blocks are here. */
    readonly bitfield: { get(index: number): boolean }
    _setBitfieldRanges(start: number, end: number, isSet: boolean): void
    updateContiguousLength(change: {
      readonly start: number
      readonly length: number
      readonly drop: boolean
    }): void
    /** Its session of the database. */
    readonly storage: { readonly db: RocksDB }
    ready(): Promise<void>
    readonly opened: boolean
    readonly closing: Promise<void> | null
    /** Stores how far the core is complete, here and at its peers, where that has changed. */
    flushHints(): Promise<void>
    /** Verifies what a peer sent, and stores it. */
    verify(proof: unknown, from: unknown): Promise<boolean>
    /** Takes over a verified history of another fork, and truncates to what it has in common with the one that is here. */
    reorg(batch: {
      readonly ancestors: number
      readonly fork: number
      readonly length: number
      readonly roots: readonly TreeNode[]
      readonly signature: Uint8Array | null
    }): Promise<boolean>
    /** Closes everything once two signatures of one length were found and verified. */
    _onconflict(proof: ConflictProof): Promise<void>
  }

  interface Replicator {
    readonly peers: readonly Peer[]
    /** Whether histories of other forks are asked for. */
    allowFork: boolean
    /** Whether a longer history is asked for as soon as a peer has one. */
    eagerUpgrade: boolean
    /** Gives blocks that are here now to whoever waits for them. */
    _resolveBlocksLocally: () => Promise<void>
    /** Asks the peers for a block, until it comes or the session closes whose requests these are. */
    addBlock(requests: unknown[], index: number, isForced: boolean): { readonly promise: Promise<Uint8Array> }
    /** Tells the peers that blocks are here, or not any more. */
    onhave(start: number, length: number, isDropped: boolean): void
  }

  interface Audit {
    readonly droppedBlocks: number
    readonly droppedTreeNodes: number
    readonly corrupt: boolean
  }

  /** `Value` is what the session's valueEncoding makes of a block: bytes without one, anything for 'json'. */
  class Hypercore<Value = Uint8Array> extends EventEmitter<HypercoreEvents> {
    /** The key of a core whose manifest this is. */
    static key(manifest: Manifest): Uint8Array
    static discoveryKey(key: Uint8Array): Uint8Array
    /** The storage that a Corestore makes by itself, with options that it does not hand on. */
    static defaultStorage(directory: string, options: { readonly writeBufferSize: number }): CorestoreStorage

    readonly key: Uint8Array | null
    readonly discoveryKey: Uint8Array | null
    /** 0 until ready. */
    readonly length: number
    readonly fork: number
    readonly writable: boolean
    readonly contiguousLength: number
    /** The most that a peer has told us it holds without a gap. */
    readonly remoteContiguousLength: number
    readonly peers: readonly Peer[]
    readonly opened: boolean
    readonly closing: Promise<void> | null
    readonly closed: boolean

    ready(): Promise<void>
    close(): Promise<void>

    /** Null only where `wait` is false and the block is not here. `raw` skips valueEncoding and decryption. */
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
    /** Throws away what lies behind `length`, and begins another fork. */
    truncate(length: number): Promise<void>
    clear(start: number, end?: number): Promise<unknown>
    download(range: { readonly start?: number; readonly end?: number; readonly linear?: boolean }): Download

    /** Whether the length grew. Waits for a peer while `findingPeers` is pending, or where `wait` is true. */
    update(options?: { readonly wait?: boolean; readonly force?: boolean }): Promise<boolean>
    findingPeers(): () => void

    /** valueEncoding is not inherited. */
    session(options: SessionOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    session(options?: SessionOptions): Hypercore
    snapshot(options: SessionOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    snapshot(options?: SessionOptions): Hypercore

    /** What this session has asked peers for. */
    readonly activeRequests: unknown[]
    /** What all sessions share; its public part is undocumented. */
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
