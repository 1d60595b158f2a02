import b4a from 'b4a'
import type Hypercore from 'hypercore'

/** How much of a log is known to fit together: so many blocks of the journal name so many blocks of all data cores. */
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

/** Writes through `session`: in an atom, if it is one of an atom. */
export async function writeExtent(session: Hypercore, { journal, blocks }: Extent): Promise<void> {
  await session.setUserData(KEY, b4a.from(JSON.stringify({ journal, blocks })))
}
