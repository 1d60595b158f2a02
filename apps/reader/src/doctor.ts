import {
  type Command,
  commonOptions,
  defineCommand,
  EXIT,
  exitCodeOf,
  networkOf,
  storageOf
} from '@many-cores/cli'
import type { Finding } from '@many-cores/node'
import { KEY } from './options.ts'

/** `reader doctor [KEY]` */
export const doctor: Command = defineCommand({
  options: {
    json: { type: 'boolean', help: 'Print one JSON object per check' },
    timeout: { type: 'number', value: 'SECONDS', default: 10, help: 'How long each check may take' },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader doctor [options] [KEY]',
    about:
      'Checks each requirement for a connection, in order, and prints what to do about it: runtime directory, UDP, DHT, NAT and, with KEY, store, announcement, peer, bootstrap core, manifest, data cores. Exits with 0, or with the code of the first failed check. Uses the id of this reader, unless the reader is running.',
    hidden: ['fsync', 'max-peers']
  },
  positional: { ...KEY, required: false },
  begins: 'checking the network',
  start: async (values, context, key) => {
    const { print, signal, env } = context
    const { diagnose } = await import('@many-cores/node')
    const { maxPeers: _, ...network } = await networkOf(values, env)
    const home = storageOf(values, context)
    const options = { ...network, home, timeout: values.timeout * 1000, signal }
    let code: number = EXIT.done
    for await (const finding of diagnose({ ...options, ...(key !== undefined && { key }) })) {
      if (finding.outcome === 'failed' && code === EXIT.done) code = exitCodeOf(finding)
      await print(values.json ? `${JSON.stringify(finding)}\n` : format(finding))
    }
    return code
  }
})

function format({ outcome, check, text, remedy }: Finding): string {
  const label = outcome === 'failed' ? 'FAILED' : outcome
  const advice = remedy === undefined || outcome === 'ok' ? '' : `; ${remedy}`
  return `${label.padEnd(7)}  ${check}: ${text}${advice}\n`
}
