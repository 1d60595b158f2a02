import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporary } from '@many-cores/testing'
import { ignore } from './errors.ts'
import { LogFiles } from './log-files.ts'
import { Renamed } from './match.ts'
import { usualNames } from './names.ts'
import { Log } from './testing/log.ts'

test('a file that is copied, cut off and renamed between the last read and a look is not read again from its packed copy', async (t) => {
  const log = new Log(await temporary(t))
  log.append('one line of the log\n'.repeat(100))
  const files = new LogFiles({ path: log.path, names: [usualNames(log.path)], place: null, onStatus: ignore })
  t.after(() => files.close())
  await files.look()
  const [source] = files.sources
  assert.ok(source)
  source.take((await source.peek()) ?? new Uint8Array())
  assert.equal(await source.peek(), null)
  log.copyTruncate('app.log.2')
  log.pack('app.log.2')
  log.rotate('app.log.1')
  log.pack('app.log.1')
  // the first look only finds that it was cut off
  await files.look().catch((error: unknown) => {
    if (!(error instanceof Renamed)) throw error
    return files.look()
  })
  const copy = files.sources.find(({ file }) => file.path === log.at('app.log.2.gz'))
  assert.equal(copy?.mark.offset, log.written.length)
})
