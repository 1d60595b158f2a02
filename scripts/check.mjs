// Lint, types and every test, as CI runs them. Prints the output of failed tests again at the end. The last line is `N passed, N failed`, summed over packages; a task that fails without a
// failing test (lint, types, a crash) counts as one failure.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'

// `writer:test: # pass 3` on Node 20, `ℹ pass 3` on later ones
const TEST_SUMMARY = /^(\S+):test: [#ℹ] (pass|fail|cancelled|skipped|todo) (\d+)$/
// `writer:test: not ok 3 - name`, followed by the reason, indented: a YAML document from `---` to `...`
const FAILED_TEST = /^\S+:test: +not ok /
const YAML_END = /^\S+:test: +\.\.\.$/
// turbo's last line: `Failed:    //#lint:all, writer#test`
const FAILED_TASKS = /^Failed: +(.+)$/

const shims = await mkdtemp(join(tmpdir(), 'many-cores-check-'))
const counts = new Map()
const failures = new Map()
let failedTasks = []

const turbo = spawn('turbo', ['run', 'lint:all', 'build', 'test', '--continue=dependencies-successful'], {
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', PATH: await pathWithPnpm() },
  stdio: ['ignore', 'pipe', 'inherit']
})
const exited = once(turbo, 'close')
for await (const line of createInterface({ input: turbo.stdout })) {
  console.log(line)
  const text = stripVTControlCharacters(line)
  count(text)
  keepFailure(text)
}
const [code] = await exited
await rm(shims, { recursive: true })

for (const said of failures.values()) for (const line of said) console.log(line)
const failed = sum('fail', 'cancelled') + failedTasks.filter(hasNoFailedTest).length
const skipped = sum('skipped', 'todo')
console.log(`${sum('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = code === 0 && failed === 0 ? 0 : 1

/** turbo runs `pnpm`, which `corepack pnpm check` alone does not put on the PATH. */
async function pathWithPnpm() {
  const { npm_execpath: pnpm, PATH } = process.env
  if (pnpm === undefined) return PATH
  await writeFile(join(shims, 'pnpm'), `#!/bin/sh\nexec '${process.execPath}' '${pnpm}' "$@"\n`, {
    mode: 0o755
  })
  return shims + delimiter + PATH
}

function count(line) {
  const [, name, outcome, number] = TEST_SUMMARY.exec(line) ?? []
  // a test can print such a line too: the last one is the runner's
  if (name !== undefined) counts.set(name, { ...counts.get(name), [outcome]: Number(number) })

  const [, tasks] = FAILED_TASKS.exec(line) ?? []
  if (tasks !== undefined) failedTasks = tasks.split(', ')
}

/** Packages are tested in parallel, so each has its own current failure. */
function keepFailure(line) {
  const [task] = line.split(' ', 1)
  const said = failures.get(task) ?? []
  const isTold = said.length > 0 && !YAML_END.test(said.at(-1))
  if (isTold || FAILED_TEST.test(line)) failures.set(task, [...said, line])
}

function sum(...outcomes) {
  let total = 0
  for (const byOutcome of counts.values()) {
    for (const outcome of outcomes) total += byOutcome[outcome] ?? 0
  }
  return total
}

function hasNoFailedTest(task) {
  const [name] = task.split('#test')
  const { fail = 0, cancelled = 0 } = counts.get(name) ?? {}
  return fail + cancelled === 0
}
