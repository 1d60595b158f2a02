import { userInfo } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { UsageError } from './errors.ts'
import type { Environment } from './option-table.ts'

/** An absolute path. pnpm changes the working directory to the package: `INIT_CWD` is the user's. */
export function resolvePath(path: string, env: Environment): string {
  const { INIT_CWD: start = '' } = env
  return isAbsolute(start) ? resolve(start, path) : resolve(path)
}

/**
 * The default store of the program `name`. As the XDG specification requires, values that are not absolute are ignored.
 *
 * @throws UsageError if the user has no home directory
 */
export function defaultStorage(name: string, env: Environment): string {
  const { XDG_DATA_HOME: data = '', HOME: home = '' } = env
  if (isAbsolute(data)) return join(data, 'many-cores', name)
  return join(isAbsolute(home) ? home : ownHome(), '.local', 'share', 'many-cores', name)
}

/** The home directory in the user database: `homedir()` returns HOME, even if that is empty. */
function ownHome(): string {
  try {
    const { homedir } = userInfo()
    if (isAbsolute(homedir)) return homedir
  } catch {
    // the user is not in the database
  }
  throw new UsageError('this user has no home directory: set HOME, or use --storage')
}
