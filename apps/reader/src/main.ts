import { defineCommand, idCommand, runProgram } from '@many-cores/cli'
import { cursors } from './cursors.ts'
import { doctor } from './doctor.ts'
import { checkConflicts, help, hints, KEY, options } from './options.ts'
import { Tally } from './tally.ts'
import { verify } from './verify.ts'

const read = defineCommand({
  options,
  help,
  hints,
  check: checkConflicts,
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    // the first status is on the screen before the store and the network load
    const { deliverLog } = await import('./deliver.ts')
    const tally = new Tally()
    await deliverLog(key, values, context, tally)
    tally.report(context)
  }
})

await runProgram(read, {
  name: 'reader',
  url: import.meta.url,
  commands: new Map([
    ['cursors', cursors],
    ['doctor', doctor],
    ['id', idCommand('reader')],
    ['verify', verify]
  ])
})
