import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'

/** A new directory for the test. Its name is short: socket paths are limited to about 107 bytes. */
export async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mc-'))
  atEnd(t, () => rm(directory, { recursive: true, force: true }))
  return directory
}
