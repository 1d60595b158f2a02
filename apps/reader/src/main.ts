import { run } from '@many-cores/cli'
import type { Command } from './command.ts'
import { cursors } from './cursors-command.ts'
import { doctor } from './doctor-command.ts'
import { id } from './id-command.ts'
import { read } from './read-command.ts'
import { verify } from './verify-command.ts'

/** By the first word. Anything else is the key of a log to read. */
const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['cursors', cursors],
  ['doctor', doctor],
  ['id', id],
  ['verify', verify]
])

await run(
  (context) => {
    // pnpm hands on a leading --
    const argv = context.argv[0] === '--' ? context.argv.slice(1) : context.argv
    const command = COMMANDS.get(argv[0] ?? '')
    return command === undefined ? read(argv, context) : command(argv.slice(1), context)
  },
  { name: 'reader' }
)
