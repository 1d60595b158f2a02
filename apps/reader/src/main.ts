import { idCommand, runProgram } from '@many-cores/cli'
import { cursors } from './cursors-command.ts'
import { doctor } from './doctor-command.ts'
import { read } from './read-command.ts'
import { verify } from './verify-command.ts'

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
