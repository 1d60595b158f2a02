// A DHT for other processes: `testnet.js HOST PORT` prints the port of its first node.

import createTestnet from 'hyperdht/testnet.js'

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2)
const testnet = await createTestnet(3, { host, port: Number(port) })
process.stdout.write(`${testnet.bootstrap[0]?.port}\n`)
