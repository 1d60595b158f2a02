import { execFileSync } from 'node:child_process'
import { constants, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Both ends of a pipe, as file descriptors of this process. */
export interface Pipe {
  readonly readEnd: number
  readonly writeEnd: number
}

/** A pipe as a shell makes it: what Node calls a pipe of a child process is a socket. `directory` holds its name for a moment. */
export function createPipe(directory: string): Pipe {
  const name = join(directory, 'pipe')
  execFileSync('mkfifo', [name])
  try {
    // without O_NONBLOCK this would wait for a writer
    const readEnd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK)
    return { readEnd, writeEnd: openSync(name, constants.O_WRONLY) }
  } finally {
    unlinkSync(name)
  }
}
