import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deadline } from '@many-cores/testing'

/** How a script ended, and what it printed. */
export interface Run {
  readonly code: number | null
  readonly output: string
}

/** A network namespace of one's own, which goes with the process; its loopback is down. */
const UNSHARE = ['unshare', '--net'] as const

/** Why a test that needs a network of its own is skipped here; false where it is not. */
export const whyNotAlone: string | false = findWhyNot()

/** Runs a built module of this package to its end. */
export function runScript(script: URL, args: readonly string[] = []): Promise<Run> {
  return run([process.execPath, '--enable-source-maps', fileURLToPath(script), ...args])
}

/** The same where no network is, not even this machine's. */
export function runAlone(script: URL, args: readonly string[] = []): Promise<Run> {
  return run([...UNSHARE, process.execPath, '--enable-source-maps', fileURLToPath(script), ...args])
}

async function run([command = '', ...args]: readonly string[]): Promise<Run> {
  // a test runner of its own, where the script has tests
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
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  const { status, stderr }: SpawnSyncReturns<string> = spawnSync(UNSHARE[0], [UNSHARE[1], 'true'], {
    encoding: 'utf8'
  })
  return status === 0 ? false : `network namespaces cannot be made here: ${stderr}`
}
