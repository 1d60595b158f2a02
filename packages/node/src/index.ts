/// <reference lib="esnext.disposable" preserve="true" />

export { openCursors } from './cursors.ts'
export { NodeError } from './errors.ts'
export { parseAddress } from './network/address.ts'
export { diagnose } from './doctor.ts'
export { openNode } from './node.ts'
export { openReader } from './reader.ts'
export { openWriter } from './writer.ts'

export type { Address } from './network/address.ts'
export type { Batch, Entry, Place } from './batch.ts'
export type { Bound, TimeBound } from './bound.ts'
export type { Checkpoint, Progress, StreamCheckpoint } from './checkpoint.ts'
export type { Cursor, CursorState } from './cursor.ts'
export type { Cursors } from './cursors.ts'
export type { NodeErrorCode } from './errors.ts'
export type { Check, DiagnosisOptions, Finding } from './doctor.ts'
export type { Node, NodeOptions } from './node.ts'
export type {
  AskOptions,
  FollowOptions,
  RangeOptions,
  Reader,
  ReaderOptions,
  VerifyOptions
} from './reader.ts'
export type { OnStatus, Status, Via } from './status.ts'
export type { Verification } from './verification.ts'
export type {
  AcknowledgedOptions,
  Line,
  Published,
  PublishOptions,
  PublishStreamOptions,
  Writer,
  WriterOptions
} from './writer.ts'
