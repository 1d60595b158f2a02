// The long runs in full, one after the other: `pnpm soak`, or `pnpm soak NAME…` for some. CI runs the same tests in a smaller
// size. docs/reliability.md says what each one shows, and its last result.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** By name: the file of the test, and the variables that make it long. */
const SOAKS = {
  'power-cuts': { in: 'packages/node', test: 'crash.test.js', env: { KILLS: '1', POWER_CUTS: '200' } },
  'writer-kills': { in: 'packages/node', test: 'crash.test.js', env: { KILLS: '1000', POWER_CUTS: '1' } },
  'file-kills': { in: 'apps/e2e', test: 'file-kills.test.js', env: { KILLS: '200' } },
  'both-kills': { in: 'apps/e2e', test: 'kills.test.js', env: { KILLS: '200', POWER_CUTS: '1' } },
  'both-power-cuts': { in: 'apps/e2e', test: 'kills.test.js', env: { KILLS: '1', POWER_CUTS: '200' } },
  'output-kills': { in: 'apps/e2e', test: 'output-file.test.js', env: { KILLS: '200' } },
  closes: { in: 'packages/node', test: 'closing.test.js', env: { CLOSES: '2000' } },
  'reader-kills': { in: 'apps/e2e', test: 'reader-kills.test.js', env: { KILLS: '200' } },
  'store-kills': { in: 'apps/e2e', test: 'store-kills.test.js', env: { KILLS: '500' } },
  damage: { in: 'apps/e2e', test: 'damage.test.js', env: { DAMAGE: 'all' } },
  cycles: { in: 'packages/node', test: 'cycles.test.js', env: { CYCLES: '10000' } },
  slow: { in: 'apps/e2e', test: 'slow.test.js', env: { SLOW_LINES: '1000000', SLOW_S: '60' } },
  crowd: { in: 'apps/e2e', test: 'hostile/crowd.test.js', env: { READERS: '64' } },
  datagrams: { in: 'apps/e2e', test: 'hostile/datagrams.test.js', env: { DATAGRAMS: '1000000' } },
  network: { in: 'apps/e2e', test: 'network/reach.test.js', env: { NETWORK_RUNS: '20' } },
  tail: { in: 'packages/tail', test: 'model.test.js', env: { TAIL_SECONDS: '3600' } },
  fuzz: { in: 'packages/protocol', test: 'properties.test.js', env: { FUZZ_RUNS: '50000' } }
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(SOAKS, name))
if (unknown.length > 0) {
  console.error(`no soak ${unknown.join(', ')}; expected ${Object.keys(SOAKS).join(', ')}`)
  process.exit(2)
}
console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} cores`
)
let failed = 0
for (const [name, soak] of Object.entries(SOAKS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const began = performance.now()
  const ended = await run(soak)
  const seconds = Math.round((performance.now() - began) / 1000)
  console.log(`${ended ? 'passed' : 'FAILED'} ${name} ${JSON.stringify(soak.env)} in ${seconds} s`)
  if (!ended) failed++
}
process.exitCode = failed === 0 ? 0 : 1

async function run({ in: folder, test, env }) {
  const child = spawn(process.execPath, ['--test', '--enable-source-maps', test], {
    cwd: join(import.meta.dirname, '..', folder, 'dist'),
    env: { ...process.env, ...env },
    stdio: 'inherit'
  })
  const [code] = await once(child, 'close')
  return code === 0
}
