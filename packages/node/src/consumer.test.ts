import { execFile } from 'node:child_process'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporary } from '@many-cores/testing'

const run = promisify(execFile)

const CONSUMER = `
import { openNode, openReader, openWriter, NodeError, type Batch, type Entry, type Node, type Reader, type Writer } from '@many-cores/node'
import { createRouter, parseKey, ProtocolError, type CoreKey } from '@many-cores/protocol'

export async function main(): Promise<void> {
  await using node: Node = await openNode({ storage: 'store', local: true })
  await using writer: Writer = await openWriter(node, { routing: { rule: 'hash', cores: 2 } })
  const { position }: { readonly position: number } = await writer.publish(['line\\n'])
  const key: CoreKey = writer.key
  await using reader: Reader = await openReader(node, key)
  for await (const entry of reader.follow({ live: false })) use(entry)
  for await (const batch of reader.batches({ from: position })) useAll(batch)
}

function use(entry: Entry): number {
  return createRouter({ rule: 'round-robin', cores: 3 })(entry.line, entry.position ?? 0)
}

function useAll(batch: Batch): Uint8Array {
  // @ts-expect-error: if Batch were any, this would compile
  batch.nothing
  return batch.bytes()
}

export function codeOf(error: unknown): string {
  return error instanceof NodeError || error instanceof ProtocolError ? error.code : String(parseKey(''))
}
`

test('a strict consumer outside the workspace compiles against the packed packages', async (t) => {
  const directory = await temporary(t)
  const packages = join(directory, 'node_modules', '@many-cores')
  const here = dirname(dirname(fileURLToPath(import.meta.url)))
  for (const name of ['node', 'protocol']) {
    const into = join(packages, name)
    await mkdir(into, { recursive: true })
    await run('npm', ['pack', '--pack-destination', directory, '--loglevel', 'error'], {
      cwd: join(here, '..', name)
    })
    const tarball = (await readdir(directory)).find((file) => file.startsWith(`many-cores-${name}-`))
    await run('tar', ['-xzf', join(directory, tarball ?? ''), '-C', into, '--strip-components', '1'])
  }
  // the consumer brings Node's types; all others must come with the packages
  const require = createRequire(import.meta.url)
  await mkdir(join(directory, 'node_modules', '@types'))
  await symlink(
    dirname(require.resolve('@types/node/package.json')),
    join(directory, 'node_modules', '@types', 'node')
  )
  await writeFile(join(directory, 'main.ts'), CONSUMER)
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  const options = [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    '--skipLibCheck',
    'false'
  ]
  const target = ['--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--outDir', 'out']
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  await run(process.execPath, [tsc, 'main.ts', ...options, ...target], { cwd: directory }).catch(
    (error: unknown) => {
      throw new Error(String((error as { stdout?: string }).stdout))
    }
  )
})
