import { codeOf } from '@many-cores/cli'
import { type Node, openReader, type Reader, type ReaderOptions } from '@many-cores/node'

/** As `openReader`. A log that is not found gets advice. */
export async function openLog(node: Node, key: string, options: ReaderOptions): Promise<Reader> {
  return await openReader(node, key, options).catch((error: unknown) => {
    if (codeOf(error) === 'NOT_FOUND' && error instanceof Error)
      error.message += '; check the key, and that the writer runs: reader doctor KEY says what is missing'
    throw error
  })
}
