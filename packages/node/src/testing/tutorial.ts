import { keyFromBytes } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import type { Node } from '../index.ts'
import { internalsOf } from '../internals.ts'

/** A log as the tutorial's writer makes it, in the store of `node`: its key and its data cores, which are empty. */
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
