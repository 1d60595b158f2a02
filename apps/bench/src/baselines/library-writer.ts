// Not a baseline: the library without the program around it, in a process like theirs.

import { openNode, openWriter } from '@many-cores/node'
import { parseRule } from '@many-cores/protocol'
import { parseArguments } from './arguments.ts'
import { sayPublished } from './words.ts'

const { storage, positional: route } = parseArguments()
await using node = await openNode({ storage, local: true })
await using writer = await openWriter(node, route === '' ? {} : { routing: parseRule(route) })
process.stdout.write(`main core key: ${writer.key}\n`)
const { count } = await writer.publishBytes(process.stdin)
sayPublished(count)
