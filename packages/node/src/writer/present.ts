import type { LostRange } from '@many-cores/protocol'
import type Hypercore from 'hypercore'

/** The first block that is not here, but for those that are known to be lost; the core's length if there is none. */
export async function firstAbsent(core: Hypercore, lost: readonly LostRange[]): Promise<number> {
  let index = core.contiguousLength
  while (index < core.length) {
    const [, end] = lost.find((range) => range[0] <= index && index < range[1]) ?? []
    if (end === undefined && !(await core.has(index))) return index
    index = end ?? (await endOfPresent(core, index))
  }
  return core.length
}

/** Behind the last block from `index` on, which is here, without a gap. */
async function endOfPresent(core: Hypercore, index: number): Promise<number> {
  let low = index + 1
  let high = core.length
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (await core.has(index, middle)) low = middle
    else high = middle - 1
  }
  return low
}
