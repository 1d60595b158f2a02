import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Environment } from './option-table.ts'

/** `path` as an absolute one. A relative path counts from where the user stands: pnpm changes to the package, and says in `INIT_CWD` where it came from. */
export function resolvePath(path: string, env: Environment): string {
  const { INIT_CWD: start = '' } = env
  return isAbsolute(start) ? resolve(start, path) : resolve(path)
}

/** Where the program `name` keeps its store when it is not told. The XDG specification has values ignored that are not absolute. */
export function defaultStorage(name: string, env: Environment): string {
  const { XDG_DATA_HOME: data = '', HOME: home = '' } = env
  if (isAbsolute(data)) return join(data, 'many-cores', name)
  return join(isAbsolute(home) ? home : homedir(), '.local', 'share', 'many-cores', name)
}
