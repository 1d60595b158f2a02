import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deadline } from '@many-cores/testing'

/** The exit code and output of a script. */
export interface Run {
  readonly code: number | null
  readonly output: string
}

/** A new network namespace, which ends with the process. Its loopback interface is down. */
const UNSHARE = ['unshare', '--net'] as const

/** Why tests that need a network namespace are skipped; false if they are not. */
export const whyNotAlone: string | false = findWhyNot()

/** Runs a built module of this package to its end. */
export function runScript(script: URL, args: readonly string[] = []): Promise<Run> {
  return run([process.execPath, '--enable-source-maps', fileURLToPath(script), ...args])
}

/** Runs it without any network, loopback included. */
export function runAlone(script: URL, args: readonly string[] = []): Promise<Run> {
  return run([...UNSHARE, process.execPath, '--enable-source-maps', fileURLToPath(script), ...args])
}

async function run([command = '', ...args]: readonly string[]): Promise<Run> {
  // a script with tests starts its own test runner
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  try {
    return { code: await deadline('the end of a script', ended), output }
  } finally {
    child.kill('SIGKILL')
  }
}

function findWhyNot(): string | false {
  if (process.platform !== 'linux') return 'only Linux has network namespaces'
  const { status, stderr }: SpawnSyncReturns<string> = spawnSync(UNSHARE[0], [UNSHARE[1], 'true'], {
    encoding: 'utf8'
  })
  return status === 0 ? false : `cannot create a network namespace: ${stderr}`
}
