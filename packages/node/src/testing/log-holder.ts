// `log-holder.js HOME KEY`: opens the log's store, prints `own ID` or `temporary ID`, and keeps it until it is killed.

import { openLogNode } from '../index.ts'

const [home = '', key = ''] = process.argv.slice(2)
const node = await openLogNode({ home, key, local: true })
process.stdout.write(`${node.isTemporary ? 'temporary' : 'own'} ${node.id}\n`)
setInterval(() => {}, 1000)
