import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))
/** Long enough for a busy machine. */
const DEADLINE_MS = 300_000

/** How many figures each reports at its small size. */
const FIGURES = { ingest: 10, sync: 8, live: 24, start: 7, scale: 28, disk: 2, linger: 24 }

async function bench(...args: string[]): Promise<string[]> {
  const command = [MAIN, '--size', 'small', ...args]
  const { stdout } = await promisify(execFile)(process.execPath, command, { timeout: DEADLINE_MS })
  return stdout.trimEnd().split('\n')
}

// three at a time: they wait for processes to start, and their times are not judged
describe('the small size', { concurrency: 3 }, () => {
  for (const [name, count] of Object.entries(FIGURES)) {
    test(`${name} reports finite positive figures`, async () => {
      const lines = await bench(name, '--json')
      const figures = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.equal(figures.length, count)
      for (const { benchmark, value, ratio } of figures) {
        assert.equal(benchmark, name)
        for (const number of [value, ratio]) {
          assert.ok(typeof number === 'number' && Number.isFinite(number) && number > 0, lines.join('\n'))
        }
      }
    })
  }
})

test('an unknown benchmark is refused with the names of those that exist', async () => {
  await assert.rejects(bench('speed'), /there is no benchmark speed\n[\s\S]*ingest, sync, live/)
})
