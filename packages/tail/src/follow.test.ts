import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import zlib, { gzipSync } from 'node:zlib'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import { follow, type Piece } from './index.ts'
import { Client } from './testing/client.ts'
import { Log } from './testing/log.ts'
import { inEachWay } from './testing/scenario.ts'

const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Uint8Array }

inEachWay('a log that is empty at first, and rotated twice before it is read', {
  before: (log) => writeFileSync(log.path, ''),
  steps: [
    (log) => {
      log.append('1\n')
      log.rotate('app.log.1')
    },
    (log) => {
      log.append('2\n')
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('3\n')
  ]
})

inEachWay('a log that is empty at first, and copied and cut off before it is read', {
  before: (log) => writeFileSync(log.path, ''),
  steps: [
    (log) => {
      log.append('1\n')
      log.copyTruncate('app.log.1')
    },
    (log) => log.append('2\n')
  ]
})

inEachWay('a log that is empty at first, and compressed before it is read', {
  before: (log) => writeFileSync(log.path, ''),
  steps: [
    (log) => {
      log.append('1\n')
      log.rotate('app.log.1')
      log.pack('app.log.1')
    },
    (log) => log.append('2\n')
  ]
})

for (const way of ['live', 'after a restart'])
  test(`half a line at first, which is completed and rotated: ${way}`, async (t) => {
    const log = new Log(await temporary(t))
    log.append('ha')
    const client = await Client.start(t, log.path)
    if (way === 'after a restart') await client.stop()
    log.append('lf\n')
    log.rotate('app.log.1')
    log.append('whole\n')
    if (way === 'after a restart') await client.start()
    await client.has('half\nwhole\n')
  })

for (const way of ['live', 'after a restart'])
  test(`a second program that still writes to the renamed file: ${way}`, async (t) => {
    const log = new Log(await temporary(t))
    const late = log.open()
    atEnd(t, () => log.close())
    late('1\n')
    const client = await Client.start(t, log.path)
    await client.has('1\n')
    log.rotate('app.log.1')
    log.append('2\n')
    await client.has('1\n2\n')
    late('3\n')
    await client.has('1\n2\n3\n')
    if (way === 'after a restart') await client.stop()
    log.append('4\n')
    if (way === 'live') await client.has(log.written)
    late('5\n')
    if (way === 'after a restart') await client.start()
    await client.until('all lines', () => client.lines.length === 5)
    assert.deepEqual(client.lines.toSorted(), ['1', '2', '3', '4', '5'])
    await client.finish()
    assert.equal(client.lines.length, 5)
  })

test('what a renamed file gains within the grace time comes before its successor', async (t) => {
  const log = new Log(await temporary(t))
  const late = log.open()
  atEnd(t, () => log.close())
  late('1\n')
  const client = await Client.start(t, log.path, { grace: 2000 })
  await client.has('1\n')
  log.rotate('app.log.1')
  log.append('3\n')
  await client.until('the successor', () => client.statuses.length === 2)
  late('2\n')
  await client.has('1\n2\n3\n')
})

test('a line that a renamed file ends with is a line after the grace time', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\nha')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  log.rotate('app.log.1')
  log.append('2\n')
  await client.has('1\nha\n2\n')
  await client.finish()
  assert.equal(client.text, '1\nha\n2\n')
})

test('a line of which the end is written after copytruncate is one line', async (t) => {
  for (const way of ['live', 'after a restart']) {
    const log = new Log(await temporary(t))
    log.append('1\nha')
    const client = await Client.start(t, log.path)
    await client.has('1\n')
    if (way === 'after a restart') await client.stop()
    log.copyTruncate('app.log.1')
    log.append('lf\n2\n')
    if (way === 'after a restart') await client.start()
    await client.has('1\nhalf\n2\n')
  }
})

test('a line of 3 MiB comes in pieces, of which only the last ends a line', async (t) => {
  const log = new Log(await temporary(t))
  const long = `${'x'.repeat(3 * 1024 * 1024)}\n`
  log.append(`1\n${long}2\n`)
  const pieces: Piece[] = []
  for await (const piece of follow(log.path, { once: true, grace: 0 })) pieces.push(piece)
  assert.equal(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString(), log.written)
  for (const { bytes, endsLine, offset } of pieces) {
    assert.equal(Buffer.from(bytes).toString(), log.written.slice(offset, offset + bytes.byteLength))
    if (bytes.byteLength > 0) assert.equal(endsLine, bytes.at(-1) === 0x0a)
  }
})

test('a file that ends with a line of whole chunks without a newline ends that line', async (t) => {
  const log = new Log(await temporary(t))
  const line = 'x'.repeat(2 * 1024 * 1024)
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  log.append(line)
  log.rotate('app.log.1')
  log.append(line)
  await client.finish()
  assert.equal(client.text, `1\n${line}\n${line}\n`)
})

test('the place after any byte of a piece continues there', async (t) => {
  const log = new Log(await temporary(t))
  log.append('one\ntwo\nthree\n')
  const pieces = follow(log.path, { once: true })
  await pieces.next()
  const { value } = await pieces.next()
  await pieces.return()
  assert.ok(value)
  for (let length = 0; length <= value.bytes.byteLength; length++) {
    const client = new Client(log.path)
    client.place = value.placeAt(length)
    await client.finish()
    assert.equal(client.text, log.written.slice(length))
  }
})

test('with `once`, half a line at the end is a line after the grace time', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\nha')
  const client = new Client(log.path, { grace: 300, once: true })
  client.begin()
  await client.until('the first line', () => client.text === '1\n')
  log.append('lf\n')
  await client.ended()
  assert.equal(client.text, '1\nhalf\n')
  log.append('3')
  await client.finish()
  assert.equal(client.text, '1\nhalf\n3\n')
})

test('with `once`, a file that is still written ends where it was at the start', async (t) => {
  const log = new Log(await temporary(t))
  log.append('line\n'.repeat(100_000))
  const size = log.written.length
  let read = 0
  const pieces = follow(log.path, { once: true })
  const all = (async () => {
    for await (const { bytes } of pieces) {
      read += bytes.byteLength
      appendFileSync(log.path, 'more\n'.repeat(300_000))
    }
  })()
  await deadline('the end of a file that grows', all)
  assert.ok(read >= size)
})

test('with `once`, older files are read to their ends', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = new Client(log.path)
  await client.finish()
  log.rotate('app.log.1')
  log.append('2\n')
  await client.finish()
  assert.equal(client.text, '1\n2\n')
})

test('the older files at the first look are left out', async (t) => {
  const log = new Log(await temporary(t))
  mkdirSync(log.at('old'))
  for (const name of ['app.log.1', 'app.log-20260504', 'app-20260504.log', 'old/app.log.1'])
    writeFileSync(log.at(name), 'old\n')
  log.append('1\n')
  const client = await Client.start(t, log.path, { rotated: ['old/*'] })
  await client.has('1\n')
  await client.finish()
  assert.equal(client.text, '1\n')
})

test('a file that was deleted before it was read to its end is lost', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n'.repeat(1_000_000))
  const client = await Client.start(t, log.path)
  client.stall()
  await client.until('the first piece', () => client.text !== '')
  const { length } = client.text
  await client.stop()
  rmSync(log.path)
  writeFileSync(log.path, '2\n')
  await client.start()
  assert.deepEqual(client.lost, [
    { state: 'lost', path: log.path, offset: length, bytes: 2_000_000 - length, reason: 'gone' }
  ])
  await client.until('the new file', () => client.text.endsWith('2\n'))
})

test('a file that was deleted before anything of it was read is lost', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const pieces = follow(log.path)
  const { value } = await pieces.next()
  await pieces.return()
  assert.ok(value)
  rmSync(log.path)
  writeFileSync(log.path, '2\n')
  const client = new Client(log.path)
  client.place = value.placeAt()
  await client.finish()
  assert.equal(client.text, '2\n')
  assert.deepEqual(client.lost, [{ state: 'lost', path: log.path, offset: 0, bytes: 2, reason: 'gone' }])
})

test('a file that is deleted while it is open is read to its end', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  log.append('2\n')
  rmSync(log.path)
  log.append('3\n')
  await client.has('1\n2\n3\n')
  assert.deepEqual(client.lost, [])
})

test('lines that were cut off before they were read are lost', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n'.repeat(1_000_000))
  const client = await Client.start(t, log.path)
  client.stall()
  await client.until('the first piece', () => client.text !== '')
  const { length } = client.text
  truncateSync(log.path)
  client.resume()
  assert.deepEqual(await client.status('lost'), {
    state: 'lost',
    path: log.path,
    offset: length,
    bytes: 2_000_000 - length,
    reason: 'cut'
  })
})

if (zstdCompressSync === undefined)
  test('zstd', { skip: `Node.js ${process.version} has no decoder for zstd` }, () => {})
else
  inEachWay('rotation with zstd', {
    before: (log) => log.append('1\n'),
    steps: [
      (log) => log.append('2\n'),
      (log) => {
        log.rotate('app.log.1')
        log.pack('app.log.1', zstdCompressSync, 'zst')
      },
      (log) => log.append('3\n'),
      (log) => {
        log.rename('app.log.1.zst', 'app.log.2.zst')
        log.rotate('app.log.1')
        log.pack('app.log.1', zstdCompressSync, 'zst')
      },
      (log) => log.append('4\n')
    ]
  })

test('a file that was packed as nothing here can unpack is lost', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  await client.stop()
  await log.tick()
  log.append('2\n')
  log.rotate('app.log.1')
  log.pack('app.log.1', () => Buffer.from('xz'), 'xz')
  log.append('3\n')
  await client.start()
  await client.has('1\n3\n')
  assert.deepEqual(
    client.lost.map(({ path, reason }) => ({ path, reason })),
    [
      { path: log.path, reason: 'gone' },
      { path: log.at('app.log.1.xz'), reason: 'packed' }
    ]
  )
  await client.finish()
  assert.equal(client.lost.length, 2)
})

test('a packed file that stays damaged is lost, once, and what follows is read', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  await client.stop()
  log.append('2\n')
  log.rotate('app.log.1')
  log.append('3\n')
  const damaged = gzipSync('1\n2\n')
  damaged.fill(0xff, 10, 14)
  log.remove('app.log.1')
  writeFileSync(log.at('app.log.1.gz'), damaged)
  const once = new Client(log.path)
  once.place = client.place
  const ends = once.finish()
  await client.start()
  await client.has('1\n3\n')
  await ends
  assert.equal(once.text, '3\n')
  for (const { lost } of [client, once])
    assert.deepEqual(lost.map(({ reason }) => reason).toSorted(), ['damaged', 'gone'])
  await client.finish()
  assert.equal(client.lost.length, 2)
})
