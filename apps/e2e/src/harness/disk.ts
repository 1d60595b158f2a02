import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'

/** Why tests that mount are skipped here, or false. */
export const whyNoMount: string | false = findWhyNoMount()

/** A file system in memory, of a few MiB. */
export class SmallDisk {
  readonly #path: string

  /** Mounts it at `path`, an existing directory, until the test ends. */
  static mount(t: TestContext, path: string, mebibytes: number): SmallDisk {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', path])
    atEnd(t, () => execFileSync('umount', ['-l', path]))
    return new SmallDisk(path)
  }

  private constructor(path: string) {
    this.#path = path
  }

  resize(mebibytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${mebibytes}m`, this.#path])
  }

  /** Uses up all its free space. */
  async fill(): Promise<void> {
    const chunk = Buffer.alloc(1024 * 1024, 1)
    for (let file = 0; ; file++) {
      try {
        await writeFile(join(this.#path, `.filler-${file}`), chunk)
      } catch {
        return
      }
    }
  }
}

/** Mounts `path` read-only at `at`, until the test ends. */
export function mountReadOnly(t: TestContext, path: string, at: string): void {
  execFileSync('mount', ['--bind', path, at])
  atEnd(t, () => execFileSync('umount', ['-l', at]))
  execFileSync('mount', ['-o', 'remount,ro,bind', at])
}

function findWhyNoMount(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'mounting a file system requires root on Linux'
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return false
  } catch {
    return 'this system does not allow mounts'
  }
}
