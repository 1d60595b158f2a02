/** The deadline of operations that no test measures. Only a fault takes this long, even on a busy machine. */
export const DEADLINE_MS = 60_000

/** Rejects, naming `what`, if `work` does not settle within `ms`. */
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

/** Polls `condition`. Resolves once it is true; rejects, naming `what`, if that takes too long. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  let isOver = false
  const watch = async (): Promise<void> => {
    while (!condition() && !isOver) await new Promise((resolve) => setImmediate(resolve))
  }
  try {
    await deadline(what, watch())
  } finally {
    isOver = true
  }
}
