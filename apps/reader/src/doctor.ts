import { EXIT, exitCodeOf, type NodeValues, networkOf, type RunContext, storageOf } from '@many-cores/cli'
import { diagnose, type Finding } from '@many-cores/node'
import type { CoreKey } from '@many-cores/protocol'

interface DoctorValues extends NodeValues {
  readonly json: boolean
  readonly timeout: number
}

const LABELS: Readonly<Record<Finding['outcome'], string>> = {
  ok: 'ok     ',
  warning: 'warning',
  failed: 'FAILED ',
  skipped: 'skipped'
}

/** Prints a line for each check. Returns the exit code of the first failed one. */
export async function examine(
  key: CoreKey | undefined,
  values: DoctorValues,
  context: RunContext
): Promise<number> {
  const { print, signal, env } = context
  const { maxPeers: _, ...network } = await networkOf(values, env)
  const storage = storageOf(values, context)
  const options = { ...network, storage, timeout: values.timeout * 1000, signal }
  let code: number = EXIT.done
  for await (const finding of diagnose({ ...options, ...(key !== undefined && { key }) })) {
    if (finding.outcome === 'failed' && code === EXIT.done) code = exitCodeOf(finding)
    await print(values.json ? `${JSON.stringify(finding)}\n` : format(finding))
  }
  return code
}

function format({ outcome, check, text, remedy }: Finding): string {
  const advice = remedy === undefined || outcome === 'ok' ? '' : `; ${remedy}`
  return `${LABELS[outcome]}  ${check}: ${text}${advice}\n`
}
