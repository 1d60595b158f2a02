import type Hypercore from 'hypercore'

/** What a writer says when readers may come: the first line on standard output, the tutorial's. */
export function sayKey(key: Uint8Array): void {
  process.stdout.write(`main core key: ${Buffer.from(key).toString('hex')}\n`)
}

/** What a writer says when its standard input has ended and all of it is durable. */
export function sayPublished(count: number): void {
  process.stderr.write(`${count} blocks published\n`)
}

/** Prints, as slowly as it is read. */
export async function print(bytes: Uint8Array): Promise<void> {
  if (process.stdout.write(bytes)) return
  await new Promise((resolve) => process.stdout.once('drain', resolve))
}

/** Runs `close` at SIGTERM, and ends. */
export function endWith(close: () => Promise<void>): void {
  process.once('SIGTERM', () => {
    // what still waits for blocks fails because of it
    process.on('uncaughtException', () => {})
    close().then(
      () => process.exit(0),
      () => process.exit(1)
    )
  })
}

/** The blocks of `core` from `start` on, for ever, each asked for before it exists. */
export async function printLive(core: Hypercore, start: number): Promise<never> {
  for (let index = start; ; index++) await print(await core.get(index))
}
