import { defineCommand, idCommand, runProgram } from '@many-cores/cli'
import { adopt } from './adopt.ts'
import { key } from './key.ts'
import { COMMON, checkConflicts, help, hints, options } from './options.ts'

const publish = defineCommand({
  options,
  help,
  hints,
  check: checkConflicts,
  begins: 'opening the store',
  start: async (values, context) => {
    // the first status is on the screen before the store and the network load
    const { write } = await import('./write.ts')
    return write(values, context)
  }
})

await runProgram(publish, {
  name: 'writer',
  url: import.meta.url,
  readsStdin: true,
  commands: new Map([
    ['adopt', adopt],
    ['id', idCommand('writer', COMMON)],
    ['key', key]
  ])
})
