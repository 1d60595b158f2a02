// Types for packages that have none: only the members that many-cores uses, with the behaviour it relies on.
// Private: no published .d.ts may depend on it. upstream.test.ts checks that each member exists.

/// <reference path="./corestore.d.ts" />
/// <reference path="./fs-native-extensions.d.ts" />
/// <reference path="./graceful-goodbye.d.ts" />
/// <reference path="./hypercore.d.ts" />
/// <reference path="./hyperdht.d.ts" />
/// <reference path="./hyperswarm.d.ts" />
/// <reference path="./protomux.d.ts" />
/// <reference path="./rocksdb-native.d.ts" />
/// <reference path="./secret-stream.d.ts" />
/// <reference path="./sodium-universal.d.ts" />
/// <reference path="./z32.d.ts" />
