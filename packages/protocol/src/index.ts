/*
The wire format of many-cores, version 1
========================================

One log is one bootstrap core and one to 16,384 data cores, all Hypercores with a writer each: the same one. The bootstrap
core's public key is *the* key of the log; only its discovery key is announced. Peers replicate all cores over one
connection (Corestore's replication); keys travel in block 0 alone.

Where the cores live in the writer's Corestore does not concern a reader. Ours uses the default namespace's names
`core-1` (bootstrap), `core-2`, `core-3`, … in the order of `otherKeys`.

Blocks of the bootstrap core
----------------------------
Each is one JSON object in UTF-8; other bytes are refused, a byte order mark included. Members that are not named here are
ignored; where a member stands twice, the last one counts. A number is whole and from 0 to 2^53 - 1; its value counts, not
its spelling (1.0 is 1). A text has no half of a surrogate pair.

Block 0: the bootstrap manifest
-------------------------------
At most 4 MiB:

  { "otherKeys": ["<64 hex>", …],          the data cores' keys, in either case: no duplicates, not the bootstrap key
    "version": 1,
    "cores": [{ "name": "short" }, …],     unique names, 1 to 64 of a-z 0-9 . _ -
    "routing": { "rule": "byte-length", "bounds": [5] },
    "framing": "newline" }

otherKeys[i], cores[i] and routing result i are the same core. Without `version` it is a tutorial log (the Pear how-to
"work with many Hypercores using Corestore"): each data core is read on its own, in its own order, framing `none`, names
`core-2`, `core-3`, …; no rule, no journal; other members are not looked at. Any other version is an error of its own, and
nothing else of such a block is checked.

Lines and framing
-----------------
A line is bytes, terminator included: the unit of routing, order and delivery, at most 15 MiB. A data core's block holds
one or more whole lines back to back.

  newline   A block is split after each 0x0A; what follows the last one is a line without a terminator, which so can only
            stand last in its block. A line has at least one byte and no 0x0A but as its last.
  none      One entry is one block, any bytes, also none.

Routing rules
-------------
A pure function of a line's bytes (terminator included) and position to a core index. The set is closed.

  { "rule": "byte-length", "bounds": [b0, …] }   bounds ascend, each >= 1. Index = how many are <= the length in bytes.
  { "rule": "hash", "cores": N }                 index = (murmur2(key) & 0x7fffffff) % N, Kafka's default partitioner
                                                 (seed 0x9747b28c; fixtures/murmur2.json). Key = the line without one
                                                 0x0A at its end.
  … with "separator": S, "field": K              key = of that, field K (from 1) between occurrences of the UTF-8 text S
                                                 (1 to 64 bytes; found from the left, without overlap); empty where there
                                                 are fewer fields.
  { "rule": "round-robin", "cores": N }          index = position % N.
  { "rule": "prefix", "prefixes": [p0, …] }      index = the first prefix (UTF-8, 1 to 255 bytes, 65,536 together, unique)
                                                 that the line begins with, else the rest core = the number of prefixes.

fixtures/routing.json has test vectors that another implementation can run.

Later blocks: the journal
-------------------------
One record a batch, at most 1 MiB:

  { "seq": 12345, "time": 1763800000000, "at": [[0, 60, 1], [1, 140, 2]], "order": [0, 3, 1, 2, 0, 1] }

  seq     position of the batch's first line = lines of all batches before it. The first record has 0.
  time    ms since 1970, never less than the record before.
  at      for each core that the batch touches, by ascending index: [index, its length before, blocks added (>= 1)].
  order   runs `core, lines` (>= 1 line): the batch's lines in order; runs side by side may name one core. A core's lines
          are the lines of its added blocks, in block order; their number is the sum of the core's runs. A core has no more
          blocks than lines (framing `none`: exactly as many).

A batch has 1 to 65,536 lines and at most 16 MiB of them; its blocks are at most 1 MiB each, unless one line alone is
longer, and none is without a line. A writer makes a batch durable as one atom: all its blocks and its record, or nothing.
A reader can enter the journal at any record, and find a position or a time by bisection. An object that has neither `seq`
nor `order` is something of a later version: an error, never skipped.

Between peers
-------------
Two Protomux channels beside Hypercore's own; a peer that knows neither loses nothing else. `many-cores/synced`, opened with the
opener's public key as its id: it says that it has a block only once the block is on its disk. `many-cores/refusal`, opened
with `not-allowed` or `full` as its id: why the connection ends.

Golden bytes, and bytes that must be refused: fixtures/manifest.json, fixtures/journal.json. Limits: limits.ts.
*/

export { ProtocolError } from './errors.ts'
export { checkBlock, checkLine, lineEnds } from './framing.ts'
export {
  createSuccession,
  decodeJournalRecord,
  encodeJournalRecord,
  endOfRecord,
  lineCount
} from './journal.ts'
export { formatKey, KEY_BYTES, keyFromBytes, keyToBytes, parseKey } from './key.ts'
export {
  MAX_BATCH_BYTES,
  MAX_BATCH_LINES,
  MAX_BLOCK_BYTES,
  MAX_CORES,
  MAX_LINE_BYTES,
  MAX_MANIFEST_BYTES,
  MAX_PREFIX_BYTES,
  MAX_PREFIXES_BYTES,
  MAX_RECORD_BYTES,
  MAX_SEPARATOR_BYTES
} from './limits.ts'
export { decodeManifest, encodeManifest } from './manifest.ts'
export { murmur2 } from './murmur2.ts'
export {
  coreCount,
  createRouter,
  DEFAULT_RULE,
  decodeRule,
  defaultNames,
  formatRule,
  parseRule
} from './routing.ts'

export type { ProtocolErrorCode } from './errors.ts'
export type { Framing } from './framing.ts'
export type { CoreExtent, JournalContext, JournalRecord, SuccessionOptions } from './journal.ts'
export type { CoreKey } from './key.ts'
export type { BootstrapManifest, DataCore, LogManifest, TutorialManifest } from './manifest.ts'
export type { ByteLengthRule, HashRule, PrefixRule, RoundRobinRule, Router, RoutingRule } from './routing.ts'
