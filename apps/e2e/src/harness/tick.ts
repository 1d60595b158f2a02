import { stat, writeFile } from 'node:fs/promises'

/** Resolves once the clock of the file system has ticked: files that are written in one tick have no order. Makes a file beside `path`. */
export async function tick(path: string): Promise<void> {
  const now = async (): Promise<bigint> => {
    await writeFile(`${path} tick`, '')
    return (await stat(`${path} tick`, { bigint: true })).mtimeNs
  }
  for (const before = await now(); (await now()) === before; ) await new Promise(setImmediate)
}
