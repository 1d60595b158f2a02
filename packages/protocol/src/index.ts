/*
The wire format of many-cores, version 1
========================================

A log is one bootstrap core and 1 to 16,384 data cores, all Hypercores of one writer. The bootstrap core's key
is the key of the log. Block 0 of the bootstrap core lists the data cores and states the routing rule, which
assigns each line to one of them. Each later block is a journal record: the order of one batch of lines across
the data cores. The first line of the log has position 0, the next one position 1, and so on.

Only the bootstrap core's discovery key is announced. Peers replicate all cores over one connection, as
Corestore does. A reader learns the data cores' keys from block 0.

How the writer's Corestore names the cores does not matter to a reader. The writer of this project uses
`core-1` (bootstrap), `core-2`, `core-3`, … (in the order of `otherKeys`) in the default namespace.

JSON
----
Each block of the bootstrap core is one JSON object in UTF-8, without a byte order mark. Unknown members are
ignored. Where a member occurs twice, the last one counts. A number is a double whose value is whole and from
0 to 2^53 - 1; its spelling does not matter (1.0 is 1). A string that the rules below use has no lone
surrogate. A decoder checks the size of a block before it parses it.

Block 0: the bootstrap manifest
-------------------------------
At most 4 MiB:

  { "otherKeys": ["<64 hex>", …],          the data cores' keys, upper or lower case
    "version": 1,
    "cores": [{ "name": "short" }, …],     names: 1 to 64 of a-z 0-9 . _ -, unique
    "routing": { "rule": "byte-length", "bounds": [5] },
    "framing": "newline" }

`otherKeys` has 1 to 16,384 keys, no duplicates, and not the bootstrap core's own key. `cores` has as many
entries, and the routing rule as many cores: otherKeys[i], cores[i] and routing result i are the same data
core.

A block 0 without `otherKeys` is refused. With `otherKeys` and without `version`, it is a tutorial log (the
Pear how-to "work with many Hypercores using Corestore"): the rules for `otherKeys` apply and other members
are ignored. Each data core is read on its own, in its own order, with framing `none` and the names `core-2`,
`core-3`, …; there is no routing rule and no journal. With `otherKeys` and any `version` but 1, of any type,
it is an error of its own (UNKNOWN_VERSION), and nothing else of the block is checked.

Lines and framing
-----------------
A line is bytes, terminator included: the unit of routing, order and delivery, at most 15 MiB. A data core's
block holds one or more whole lines back to back.

  newline   A block is split after each 0x0A. Bytes after the last 0x0A are a line without a terminator: such
            a line is always the last of its block. A line has at least one byte, and no 0x0A before its last.
  none      A block is one line: any bytes, or none.

Routing rules
-------------
A routing rule is a pure function from a line's bytes (terminator included) and its position to a core index.
The set is closed: any other rule is refused. Each rule has 1 to 16,384 cores. A reader refuses a line that is
stored in another core than the rule names.

  { "rule": "byte-length", "bounds": [b0, …] } index = the number of bounds <= the line's length in bytes. One
                                               or more bounds, each >= 1 and greater than the one before.
  { "rule": "hash", "cores": N }               index = (murmur2(key) & 0x7fffffff) % N, as Kafka's default
                                               partitioner (seed 0x9747b28c; fixtures/murmur2.json). Key = the
                                               line without the 0x0A at its end, if it has one.
  … with "separator": S, "field": K            key = field K (from 1) of that, split at each occurrence of the
                                               text S (1 to 64 bytes of UTF-8), found from the left without
                                               overlap. Empty if there are fewer fields. Both members, or none.
  { "rule": "round-robin", "cores": N }        index = position % N.
  { "rule": "prefix", "prefixes": [p0, …] }    index = the first prefix in the list that the line begins with,
                                               or the number of prefixes if there is none. One or more, each 1
                                               to 255 bytes of UTF-8, 65,536 bytes in all, no duplicates.

Later blocks: the journal
-------------------------
One record for each batch, at most 1 MiB:

  { "seq": 12345, "time": 1763800000000, "at": [[0, 60, 1], [1, 140, 2]], "order": [0, 3, 1, 2, 0, 1] }

  seq     The position of the batch's first line: the number of lines in all batches before it. The first
          record has 0.
  time    When the batch became durable, in ms since 1970. Never less than in the record before.
  at      For each core that the batch adds to: [core index, its length before, blocks added (>= 1)], by
          ascending core index. Lengths count blocks: 0 for a core that no earlier record names, otherwise its
          length and the blocks added in the last record that names it.
  order   The batch's lines in order, as runs: core index, number of lines (>= 1), core index, and so on. `at`
          names each of these cores; adjacent runs may name the same core. The lines of a core are those of its
          added blocks, in block order; their number is the sum of the core's runs. A core adds at most as many
          blocks as lines; with framing `none`, exactly as many.

A batch has 1 to 65,536 lines, at most 16 MiB in all. Its blocks are at most 1 MiB each, except a block that
holds a single line. With framing `newline`, no block is empty. `seq` plus the number of lines, and a core's
length plus the blocks added, are at most 2^53 - 1.

A writer makes a batch durable as one atom: all its blocks and its record, or nothing. A reader can start at
any record, and find a position or a time by bisection. The record in block i has i - 1 records before it,
each of 1 to 65,536 lines, and no core has more blocks than lines: a reader can check even a single record
against that. An object with neither `seq` nor `order` comes from a later version. That is an error
(UNKNOWN_BLOCK): a reader never skips it.

Between peers
-------------
Two Protomux channels beside Hypercore's own. They carry no handshake and no messages, and the peer does not
have to open its side; a peer that does not know them loses nothing else.

  many-cores/synced    id: the opener's public key on this connection (32 bytes). The opener announces a block
                       only after the block is on its disk.
  many-cores/refusal   id: the text `not-allowed` or `full`. Why the opener is about to end the connection.

Keys as text
------------
A key is 32 bytes. As text it is 64 hex digits or 52 characters of z-base-32 (of the 260 bits, the last four
are zero), upper or lower case, optionally with `pear://` before it, `/` after it and white space around it.
In block 0 only hex is allowed.

Limits: limits.ts. Golden files, with bytes that must be refused: fixtures/*.json, described in the README.
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
