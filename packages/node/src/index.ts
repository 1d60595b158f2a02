/// <reference lib="esnext.disposable" preserve="true" />

export { diagnose } from './doctor.ts'
export { NodeError } from './errors.ts'
export { openLogNode, readId } from './log-node.ts'
export { parseAddress } from './network/address.ts'
export { openNode } from './node.ts'
export { knownLength, openCursors, storedLength } from './reader/cursors.ts'
export { openReader } from './reader/open.ts'
export { openWriter } from './writer/open.ts'
export { storedKey } from './writer/stored-key.ts'

export type { Check, DiagnosisOptions, Finding } from './doctor.ts'
export type { NodeErrorCode } from './errors.ts'
export type { Address } from './network/address.ts'
export type { IdOptions, LogNodeOptions } from './log-node.ts'
export type { Node, NodeOptions } from './node.ts'
export type { Batch, Entry, Position } from './reader/batch.ts'
export type { Bound, TimeBound } from './reader/bound.ts'
export type { Cursor, CursorState } from './reader/cursor.ts'
export type { Cursors, KnownLengthOptions } from './reader/cursors.ts'
export type {
  AskOptions,
  FollowOptions,
  LocateOptions,
  RangeOptions,
  Reader,
  ReaderOptions,
  Verification,
  VerifyOptions
} from './reader/reader.ts'
export type { AdoptOptions } from './recovery/adopt-options.ts'
export type { OnStatus, Status, Via } from './status.ts'
export type {
  AcknowledgedOptions,
  Checkpoint,
  Line,
  Progress,
  Published,
  PublishOptions,
  PublishStreamOptions,
  StreamCheckpoint,
  Writer,
  WriterOptions
} from './writer/writer.ts'
