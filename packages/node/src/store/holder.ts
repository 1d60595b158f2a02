import { execFile } from 'node:child_process'
import { readdir, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Elsewhere than on Linux `lsof` is asked, and may take so long. */
const LSOF_MS = 1000

/** The process that has `file` open, this one included; null where that cannot be told, e.g. because it is another user's. */
export async function holderOf(file: string): Promise<number | null> {
  try {
    const path = await realpath(file)
    return process.platform === 'linux' ? await fromProc(path) : await fromLsof(path)
  } catch {
    // it ends just now, or the system does not tell
    return null
  }
}

// Not /proc/locks: it has no process for locks of this kind, which belong to an open file.
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
  const { stdout } = await run('lsof', ['-t', '--', path], { timeout: LSOF_MS })
  const pid = stdout.split('\n').find(isProcess)
  return pid === undefined ? null : Number(pid)
}

function isProcess(name: string): boolean {
  return /^\d+$/.test(name)
}
