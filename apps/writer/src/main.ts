import { defineCommand, idCommand, runProgram } from '@many-cores/cli'
import { checkTogether, help, options } from './options.ts'

const publish = defineCommand({
  options,
  help,
  check: checkTogether,
  begins: 'opening the store',
  start: async (values, context) => {
    // the store and the network load while the first word is on the screen already
    const { write } = await import('./write.ts')
    return write(values, context)
  }
})

await runProgram(publish, {
  name: 'writer',
  url: import.meta.url,
  readsStdin: true,
  commands: new Map([['id', idCommand('writer')]])
})
