import assert from 'node:assert/strict'
import { cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporary } from '@many-cores/testing'
import { deriveId, deriveKeyPair, peerIdOf, peerKeyPair } from './identity.ts'

const FSYNC = { fsync: false }

test('a peer that knows an id and a name knows the id of the derived key pair', async (t) => {
  const base = await peerKeyPair(await temporary(t), FSYNC)
  const ids = ['', 'a', 'b'].map((name) => peerIdOf(deriveKeyPair(base, name)))
  assert.equal(new Set([peerIdOf(base), ...ids]).size, 4)
  assert.deepEqual(
    ['', 'a', 'b'].map((name) => deriveId(peerIdOf(base), name)),
    ids
  )
  // not every allowed key is a point of the curve
  assert.equal(deriveId('02'.repeat(32), 'a').length, 64)
})

test('the key pair of a directory stays the same, is readable by its owner alone, and a copy has another one', async (t) => {
  const directory = await temporary(t)
  const [original, copy] = [join(directory, 'original'), join(directory, 'copy')]
  await mkdir(original)
  const ids = await Promise.all(
    Array.from({ length: 8 }, async () => peerIdOf(await peerKeyPair(original, FSYNC)))
  )
  assert.equal(new Set(ids).size, 1)
  assert.deepEqual(await readdir(original), ['peer'])
  assert.equal((await stat(join(original, 'peer'))).mode & 0o777, 0o600)
  await cp(original, copy, { recursive: true, preserveTimestamps: true })
  assert.notEqual(peerIdOf(await peerKeyPair(copy, FSYNC)), ids[0])
  assert.equal(peerIdOf(await peerKeyPair(original, FSYNC)), ids[0])
  await writeFile(join(copy, 'peer'), 'damaged')
  await assert.rejects(peerKeyPair(copy, FSYNC), { code: 'STORE_REFUSED' })
})
