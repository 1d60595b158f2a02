import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'

/** A directory of the test's own, with a short name: socket paths are cut off at about 107 bytes. */
export async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mc-'))
  atEnd(t, () => rm(directory, { recursive: true, force: true }))
  return directory
}
