import assert from 'node:assert/strict'
import { appendFile, copyFile, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import { locate, openLater } from './locate.ts'
import { SourceFile } from './source-file.ts'

function opened(t: TestContext, file: SourceFile | null): SourceFile {
  assert.ok(file !== null)
  atEnd(t, () => file.close())
  return file
}

async function readToEnd(file: SourceFile): Promise<string> {
  let text = ''
  for (let chunk = await file.read(); chunk !== null; chunk = await file.read()) text += Buffer.from(chunk)
  return text
}

test('a file that was cut off and has the same lines again is read from its start', async (t) => {
  const path = join(await temporary(t), 'in')
  await writeFile(path, 'beat\nbeat\n')
  const file = opened(t, await SourceFile.open(path))
  assert.equal(await readToEnd(file), 'beat\nbeat\n')
  await copyFile(path, `${path}.1`)
  await truncate(path)
  assert.equal(await readToEnd(file), '')
  assert.ok(file.isTruncated)
  const copy = opened(t, await locate(path, file.position))
  copy.isOnlyCopy = true
  await appendFile(path, 'beat\nbeat\n')
  const later = opened(t, await openLater(path, copy))
  assert.equal(await readToEnd(later), 'beat\nbeat\n')
})

test('the part of an incomplete copy that was read is not read again in its original', async (t) => {
  const path = join(await temporary(t), 'in')
  await writeFile(path, 'a1\na2\n')
  await writeFile(`${path}.1`, 'a1\n')
  const copy = opened(t, await SourceFile.open(`${path}.1`))
  assert.equal(await readToEnd(copy), 'a1\n')
  const later = opened(t, await openLater(path, copy))
  assert.equal(await readToEnd(later), 'a2\n')
})

test('if the number between two rotated files stays missing, the next existing file follows', async (t) => {
  const path = join(await temporary(t), 'in')
  await writeFile(path, 'a\n')
  const file = opened(t, await SourceFile.open(path))
  assert.equal(await readToEnd(file), 'a\n')
  await rename(path, `${path}.3`)
  await writeFile(`${path}.1`, 'b\n')
  await writeFile(path, 'c\n')
  const later = opened(t, await openLater(path, file))
  assert.equal(await readToEnd(later), 'b\n')
})
