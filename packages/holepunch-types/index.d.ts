// What many-cores calls of packages that ship no types: used members only, with what we rely on.
// Private, so that no published .d.ts may lean on it. upstream.test.ts checks each member against the real thing.

/// <reference path="./corestore.d.ts" />
/// <reference path="./graceful-goodbye.d.ts" />
/// <reference path="./hypercore.d.ts" />
/// <reference path="./hyperdht.d.ts" />
/// <reference path="./hyperswarm.d.ts" />
/// <reference path="./protomux.d.ts" />
/// <reference path="./rocksdb-native.d.ts" />
/// <reference path="./secret-stream.d.ts" />
/// <reference path="./z32.d.ts" />
