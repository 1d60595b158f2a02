import assert from 'node:assert/strict'
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { temporary } from '@many-cores/testing'
import { ignore } from './errors.ts'
import { LogFiles } from './log-files.ts'
import { Renamed } from './match.ts'
import { usualNames } from './names.ts'

/** As gzip does, under another name. */
function pack(path: string, packed: string): void {
  const { atimeMs, mtimeMs } = statSync(path)
  writeFileSync(packed, gzipSync(readFileSync(path)))
  utimesSync(packed, atimeMs / 1000, mtimeMs / 1000)
  rmSync(path)
}

test('a file that is copied, cut off and renamed between the last read and a look is not read again from its packed copy', async (t) => {
  const path = join(await temporary(t), 'app.log')
  const text = 'one line of the log\n'.repeat(100)
  writeFileSync(path, text)
  const files = new LogFiles({ path, names: [usualNames(path)], place: null, onStatus: ignore })
  t.after(() => files.close())
  await files.look()
  const [source] = files.sources
  assert.ok(source)
  source.take((await source.peek()) ?? new Uint8Array())
  assert.equal(await source.peek(), null)
  copyFileSync(path, `${path}.1`)
  truncateSync(path)
  pack(`${path}.1`, `${path}.2.gz`)
  renameSync(path, `${path}.1`)
  writeFileSync(path, '')
  pack(`${path}.1`, `${path}.1.gz`)
  // the first look only finds that it was cut off
  await files.look().catch((error: unknown) => {
    if (!(error instanceof Renamed)) throw error
    return files.look()
  })
  const copy = files.sources.find(({ file }) => file.path === `${path}.2.gz`)
  assert.equal(copy?.mark.offset, text.length)
})
