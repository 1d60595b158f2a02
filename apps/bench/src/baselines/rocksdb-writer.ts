// Raw RocksDB, opened as Hypercore opens it: the input becomes values under ascending numbers.

import RocksDB from 'rocksdb-native'
import { parseArguments, readBatches } from './arguments.ts'
import { sayKey, sayPublished } from './words.ts'

const KEY_BYTES = 8

const { storage, unit } = parseArguments()
const root = new RocksDB(storage)
// hypercore-storage 3.3: larger values are in separate files, which no compaction copies
const family = new RocksDB.ColumnFamily('lines', {
  enableBlobFiles: true,
  minBlobSize: 4096,
  blobFileSize: 256 * 1024 * 1024
})
const database = root.columnFamily(family)
await database.ready()
sayKey(Buffer.alloc(32))
let count = 0
for await (const batch of readBatches(unit)) {
  const write = database.write({ capacity: batch.length, autoDestroy: true })
  for (const value of batch) write.tryPut(keyOf(count++), value)
  await write.flush()
}
sayPublished(count)
await root.close({ force: true })

function keyOf(index: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES)
  key.writeUIntBE(index, 2, KEY_BYTES - 2)
  key.writeUInt16BE(0, 0)
  return key
}
