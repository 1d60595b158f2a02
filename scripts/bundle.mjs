// Puts the built modules of a package into one file, for those who import it: Node 20 takes about a millisecond for
// every module that it loads, and the programs would load a hundred of ours before they can open a store.
//
// node scripts/bundle.mjs [directory ...]   default: every package that the programs import

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const PACKAGES = ['packages/protocol', 'packages/node', 'packages/cli'].map((name) => join(root, name))

const asked = process.argv.slice(2)
for (const directory of asked.length > 0 ? asked : PACKAGES) {
  await build({
    entryPoints: [join(directory, 'dist/index.js')],
    outfile: join(directory, 'bundle/index.js'),
    bundle: true,
    // there must be one of each package in a process
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // down to the TypeScript: tsc's own maps lie beside what is read
    sourcemap: true,
    logLevel: 'warning'
  })
}
