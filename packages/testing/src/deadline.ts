/** How long anything may take that no test measures, on a busy machine too; only a fault takes so long. */
export const DEADLINE_MS = 60_000

/** Rejects, saying what was waited for, if `work` does not settle in `ms`. */
export async function deadline<T>(what: string, work: Promise<T>, ms: number = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when `isSo`, which is looked at again and again; rejects, saying what was waited for, where that takes too long. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  let isOver = false
  const watch = async (): Promise<void> => {
    while (!isSo() && !isOver) await new Promise((resolve) => setImmediate(resolve))
  }
  try {
    await deadline(what, watch())
  } finally {
    isOver = true
  }
}
