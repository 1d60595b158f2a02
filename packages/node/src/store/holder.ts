import { execFile } from 'node:child_process'
import { readdir, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const LSOF_TIMEOUT_MS = 1000

/** Names the process that has `file` open, for a message. */
export async function nameHolder(file: string): Promise<string> {
  const holder = await holderOf(file)
  if (holder === null) return 'another process'
  return holder === process.pid ? 'this process itself: close its other node first' : `process ${holder}`
}

/** The id of that process, possibly this one. Null if it cannot be found, for example because it belongs to another user. */
async function holderOf(file: string): Promise<number | null> {
  try {
    const path = await realpath(file)
    return process.platform === 'linux' ? await fromProc(path) : await fromLsof(path)
  } catch {
    // it has just closed the file, or the system does not say
    return null
  }
}

// Not /proc/locks: locks of this kind belong to an open file, and it lists them without a process.
async function fromProc(path: string): Promise<number | null> {
  for (const pid of (await readdir('/proc')).filter(isProcess)) {
    const descriptors = await readdir(join('/proc', pid, 'fd')).catch(() => [])
    for (const descriptor of descriptors) {
      const target = await readlink(join('/proc', pid, 'fd', descriptor)).catch(() => null)
      if (target === path) return Number(pid)
    }
  }
  return null
}

async function fromLsof(path: string): Promise<number | null> {
  const { stdout } = await run('lsof', ['-t', '--', path], { timeout: LSOF_TIMEOUT_MS })
  const pid = stdout.split('\n').find(isProcess)
  return pid === undefined ? null : Number(pid)
}

function isProcess(name: string): boolean {
  return /^\d+$/.test(name)
}
