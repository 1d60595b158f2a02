import { keyFromBytes } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import type { Node } from '../index.ts'
import { internalsOf } from '../internals.ts'

/** Creates a log like the tutorial's writer in the store of `node`. Returns its key and its empty data cores. */
export async function createTutorialLog(
  node: Node,
  count: number
): Promise<{ key: string; cores: readonly Hypercore[] }> {
  const { store } = internalsOf(node)
  const [bootstrap, ...cores] = Array.from({ length: count + 1 }, (_, index) =>
    store.get({ name: `core-${index + 1}` })
  ) as [Hypercore, ...Hypercore[]]
  await Promise.all([bootstrap, ...cores].map((core) => core.ready()))
  const keys = cores.map(({ key }) => keyFromBytes(key as Uint8Array))
  await bootstrap.append(Buffer.from(JSON.stringify({ otherKeys: keys })))
  return { key: keyFromBytes(bootstrap.key as Uint8Array), cores }
}
