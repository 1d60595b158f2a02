// Bundles each package into one file: Node 20 takes about a millisecond to load a module, and the programs would load a
// hundred of ours before they open a store.
//
// node scripts/bundle.mjs [directory ...]   default: every package that the programs import

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const PACKAGES = ['packages/protocol', 'packages/tail', 'packages/node', 'packages/cli'].map((name) =>
  join(root, name)
)

const asked = process.argv.slice(2)
for (const directory of asked.length > 0 ? asked : PACKAGES) {
  await build({
    entryPoints: [join(directory, 'dist/index.js')],
    outfile: join(directory, 'bundle/index.js'),
    bundle: true,
    // a process must load each package once
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // down to the TypeScript: tsc's maps are next to the input
    sourcemap: true,
    logLevel: 'warning'
  })
}
