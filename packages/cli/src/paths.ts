import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Environment } from './option-table.ts'

/** An absolute path. pnpm changes the working directory to the package: `INIT_CWD` is the user's. */
export function resolvePath(path: string, env: Environment): string {
  const { INIT_CWD: start = '' } = env
  return isAbsolute(start) ? resolve(start, path) : resolve(path)
}

/** The default store of the program `name`. As the XDG specification requires, values that are not absolute are ignored. */
export function defaultStorage(name: string, env: Environment): string {
  const { XDG_DATA_HOME: data = '', HOME: home = '' } = env
  if (isAbsolute(data)) return join(data, 'many-cores', name)
  return join(isAbsolute(home) ? home : homedir(), '.local', 'share', 'many-cores', name)
}
