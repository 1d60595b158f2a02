import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import { Client } from './testing/client.ts'
import { Log } from './testing/log.ts'
import { inEachWay } from './testing/scenario.ts'

test('a file that is rewritten at the same size comes each time', async (t) => {
  const log = new Log(await temporary(t))
  const client = await Client.start(t, log.path)
  let expected = ''
  for (const state of [1, 2, 3, 4, 5]) {
    await log.tick()
    writeFileSync(log.path, `state ${state}\n`)
    expected += `state ${state}\n`
    await client.has(expected)
  }
})

inEachWay('a file that is rewritten at the same size', {
  before: (log) => log.append('state 1\n'),
  steps: [(log) => writeFileSync(log.path, 'state 2\n')],
  expected: 'state 1\nstate 2\n',
  lost: [{ reason: 'cut', bytes: 0 }]
})

inEachWay('a file that is truncated, with lines that were not read', {
  before: (log) => log.append('1\n'),
  steps: [(log) => log.append('2\n'), (log) => truncateSync(log.path), (log) => log.append('3\n')],
  expected: '1\n3\n',
  lost: [{ reason: 'cut', bytes: 0 }],
  ways: ['stalled', 'after a restart']
})

inEachWay('a symbolic link that is moved to another file', {
  before: (log) => {
    writeFileSync(log.at('app-1.txt'), '')
    symlinkSync('app-1.txt', log.path)
    log.append('1\n')
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => {
      writeFileSync(log.at('app-2.txt'), '')
      symlinkSync('app-2.txt', log.at('new'))
      log.rename('new', 'app.log')
    },
    // a container runtime's log driver, and cronolog, still write the end of the old one
    (log) => log.append('3\n', 'app-1.txt'),
    (log) => log.append('4\n')
  ]
})

inEachWay('a symbolic link into another directory, where the log is rotated', {
  before: (log) => {
    mkdirSync(log.at('pods'))
    writeFileSync(log.at('pods/0.log'), '')
    symlinkSync('pods/0.log', log.path)
    log.append('1\n')
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rename('pods/0.log', 'pods/0.log.20260504-101112'),
    (log) => log.append('3\n', 'pods/0.log'),
    (log) => log.rename('pods/0.log', 'pods/0.log.20260504-101113'),
    (log) => log.append('4\n', 'pods/0.log')
  ]
})

inEachWay('a hard link beside the log', {
  before: (log) => {
    log.append('1\n')
    linkSync(log.path, log.at('app.log.bak'))
    linkSync(log.path, log.at('app.log.old'))
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => {
      linkSync(log.path, log.at('app.log.1'))
      unlinkSync(log.path)
      writeFileSync(log.path, '')
    },
    (log) => log.append('3\n')
  ]
})

inEachWay('files of which some have the inode and the size of an older one', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => {
      rmSync(log.path)
      log.append('2\n')
    },
    (log) => {
      rmSync(log.path)
      log.append('3\n')
    }
  ],
  ways: ['live']
})

inEachWay('a file that is replaced by a longer one with the same beginning, as by rsync', {
  before: (log) => log.append('1\n2\n'),
  steps: [
    (log) => {
      copyFileSync(log.path, log.at('.app.log.x1'))
      log.append('3\n', '.app.log.x1')
      log.rename('.app.log.x1', 'app.log')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('a file that is replaced by one with another beginning, as by `sed -i`', {
  before: (log) => log.append('1\n2\n'),
  steps: [
    (log) => {
      writeFileSync(log.at('sedX1'), 'one\ntwo\nthree\n')
      log.rename('sedX1', 'app.log')
    }
  ],
  expected: '1\n2\none\ntwo\nthree\n',
  lost: [{ reason: 'gone', bytes: 0 }],
  ways: ['after a restart']
})

inEachWay('a file that is replaced by one with another beginning, as by `sed -i`', {
  before: (log) => log.append('1\n2\n'),
  steps: [
    (log) => {
      writeFileSync(log.at('sedX1'), 'one\ntwo\nthree\n')
      log.rename('sedX1', 'app.log')
    }
  ],
  expected: '1\n2\none\ntwo\nthree\n',
  ways: ['live', 'stalled']
})

inEachWay('unrelated files with similar names come and go', {
  before: (log) => {
    log.append('1\n')
    writeFileSync(log.at('app.log.old'), 'not ours\n')
  },
  steps: [
    (log) => writeFileSync(log.at('app.log.swp'), 'not ours\n'),
    (log) => writeFileSync(log.at('app2.log'), 'not ours\n'),
    (log) => writeFileSync(log.at('my-app.log.1'), 'not ours\n'),
    (log) => log.append('2\n'),
    (log) => log.remove('app.log.old'),
    (log) => log.rotate('app.log.1'),
    (log) => log.append('3\n')
  ]
})

test('the same log by another path continues at the place', async (t) => {
  const directory = await temporary(t)
  mkdirSync(join(directory, 'real'))
  symlinkSync('real', join(directory, 'link'))
  const log = new Log(join(directory, 'real'))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  await client.stop()
  log.rotate('app.log.1')
  log.append('2\n')
  const other = new Client(join(directory, 'link', 'app.log'), { rotated: ['../real/app.log.*'] })
  other.place = client.place
  await other.finish()
  assert.equal(other.text, '2\n')
})

test('files without a time of birth are told apart by their content', async (t) => {
  const directory = await temporary(t)
  const image = join(directory, 'image')
  const mounted = join(directory, 'mounted')
  mkdirSync(mounted)
  try {
    execFileSync('truncate', ['--size', '8M', image])
    execFileSync('mkfs.ext2', ['-q', '-I', '128', image], { stdio: 'ignore' })
    execFileSync('mount', ['-o', 'loop', image, mounted], { stdio: 'ignore' })
  } catch {
    t.skip('a file system without times of birth cannot be mounted here')
    return
  }
  atEnd(t, () => execFileSync('umount', [mounted]))
  const log = new Log(mounted)
  const client = await Client.start(t, log.path)
  log.append('1, which is a long line\n')
  await client.has(log.written)
  const inodes: string[] = []
  for (const number of [2, 3, 4]) {
    await client.stop()
    rmSync(log.path)
    log.append(`${number}, which is a long line\n`)
    inodes.push(execFileSync('stat', ['--format', '%i', log.path]).toString())
    await client.start()
    await client.has(log.written)
  }
  assert.equal(new Set(inodes).size, 1, 'the inode was not used again')
  await client.stop()
  log.append('5\n')
  log.rotate('app.log.1')
  log.append('6\n')
  await client.start()
  await client.has(log.written)
  await client.finish()
  assert.equal(client.text, log.written)
})

test('a log that is renamed over its older file', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has(log.written)
  for (const number of [2, 3, 4]) {
    log.append(`last of ${number}\n`)
    await client.has(log.written)
    renameSync(log.path, log.at('app.log.1'))
    log.append(`first of ${number}\n`)
    await client.has(log.written)
  }
  assert.equal(readFileSync(log.at('app.log.1'), 'utf8'), 'first of 3\nlast of 4\n')
  await client.finish()
  assert.equal(client.text, log.written)
})

for (const packs of [true, false])
  test(`files with the same short content are all yielded, over restarts: ${packs ? 'packed' : 'plain'}`, async (t) => {
    const log = new Log(await temporary(t))
    log.append('starting\n')
    const client = new Client(log.path)
    await client.finish()
    for (const rotations of [1, 3, 1]) {
      for (let rotation = 0; rotation < rotations; rotation++) {
        await log.tick()
        const name = `app.log-${log.written.length}`
        log.rotate(name)
        if (packs) log.pack(name)
        await log.tick()
        log.append('starting\n')
      }
      await client.finish()
    }
    assert.equal(client.text, 'starting\n'.repeat(6))
    assert.deepEqual(client.lost, [])
  })

test('a file that was written after the clock was set back is not taken for a copy with the same short content', async (t) => {
  const log = new Log(await temporary(t))
  const start = Math.floor(Date.now() / 1000) - 1000
  const setTime = (name: string, seconds: number): void =>
    utimesSync(log.at(name), start + seconds, start + seconds)
  log.append('banner\n')
  setTime('app.log', 0)
  const client = await Client.start(t, log.path)
  await client.has(log.written)
  log.copyTruncate('app.log.1')
  setTime('app.log.1', 600)
  log.append('x\n')
  setTime('app.log', 601)
  await client.has(log.written)
  await client.finish()
  // by 100 s
  log.rename('app.log.1', 'app.log.3')
  log.copyTruncate('app.log.2')
  setTime('app.log.2', 503)
  log.append('banner\n')
  log.copyTruncate('app.log.1')
  setTime('app.log.1', 505)
  log.pack('app.log.1')
  log.append('next\n')
  setTime('app.log', 506)
  await client.finish()
  assert.equal(client.text, log.written)
  assert.deepEqual(client.lost, [])
})
