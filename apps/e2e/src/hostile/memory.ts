import assert from 'node:assert/strict'
import type { Program } from '../harness/program.ts'

export const MEGABYTE = 1024 * 1024

/** The most memory that a program may need, whatever a peer sends. */
export const MAX_MEMORY = 400 * MEGABYTE

/** Checks that the peak memory of each program stays below the maximum. */
export async function assertMemory(...programs: readonly Program[]): Promise<void> {
  for (const program of programs) {
    const memory = await program.peakMemory()
    assert.ok(memory > 0 && memory < MAX_MEMORY, `${program.name}: ${memory / MEGABYTE} MiB`)
  }
}
