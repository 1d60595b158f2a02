/// <reference lib="esnext.disposable" preserve="true" />

export { NodeError } from './errors.ts'
export { openNode } from './node.ts'
export { openReader } from './reader.ts'
export { openWriter } from './writer.ts'

export type { Batch, Entry, Place } from './batch.ts'
export type { Checkpoint, Progress, StreamCheckpoint } from './checkpoint.ts'
export type { Cursor } from './cursor.ts'
export type { NodeErrorCode } from './errors.ts'
export type { Node, NodeOptions } from './node.ts'
export type { FollowOptions, Reader, ReaderOptions } from './reader.ts'
export type { OnStatus, Status, Via } from './status.ts'
export type {
  Line,
  Published,
  PublishOptions,
  PublishStreamOptions,
  Writer,
  WriterOptions
} from './writer.ts'
