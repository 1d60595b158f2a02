import { readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type CoreKey, parseKey } from '@many-cores/protocol'
import { isMissing, translate } from '../errors.ts'

/** The file with the key of the log that a store has the writer of. Each start of the writer makes it again if it is missing. */
const KEY = 'KEY'

/** The key of the log in a writer's store, also while the writer runs; null if there is none. Throws NodeError `STORE_*`. */
export async function storedKey(directory: string): Promise<CoreKey | null> {
  try {
    return parseKey((await readFile(join(resolve(directory), KEY), 'utf8')).trim())
  } catch (error) {
    if (isMissing(error)) return null
    throw translate(error)
  }
}

export async function storeKey(directory: string, key: CoreKey): Promise<void> {
  if ((await storedKey(directory).catch(() => null)) === key) return
  const next = join(directory, `${KEY}.next`)
  await writeFile(next, `${key}\n`)
  await rename(next, join(directory, KEY))
}
