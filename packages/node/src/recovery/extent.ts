import b4a from 'b4a'
import type Hypercore from 'hypercore'

/** The part of a log that is known to fit together: the first `journal` blocks of the journal name `blocks` blocks of data cores. */
export interface Extent {
  readonly journal: number
  readonly blocks: number
}

const KEY = 'many-cores/extent'

/** The extent that was stored with the last batch; null before the first one. */
export async function readExtent(bootstrap: Hypercore): Promise<Extent | null> {
  const stored = await bootstrap.getUserData(KEY)
  return stored === null ? null : (JSON.parse(b4a.toString(stored)) as Extent)
}

/** Writes into the atom of `session`, if it has one. */
export async function writeExtent(session: Hypercore, { journal, blocks }: Extent): Promise<void> {
  await session.setUserData(KEY, b4a.from(JSON.stringify({ journal, blocks })))
}
