import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPrivate, parseAddress } from './address.ts'
import { dhtOptions } from './dht-options.ts'

test('a DHT node address is a host and a port, or a port alone', () => {
  assert.deepEqual(parseAddress('example.org:49737'), { host: 'example.org', port: 49_737 })
  assert.deepEqual(parseAddress('49737'), { host: '127.0.0.1', port: 49_737 })
  for (const bad of [
    '',
    'host',
    'host:',
    ':1',
    'host:0',
    'host:65536',
    'host:x',
    'user@host:1',
    'a:1,b:2',
    '[::1]:1',
    '::1:1'
  ])
    assert.throws(() => parseAddress(bad), { code: 'BAD_OPTION' })
})

test('loopback and private addresses are private, names and public addresses are not', () => {
  for (const host of ['127.0.0.1', 'localhost', '10.1.2.3', '172.16.0.1', '172.31.0.1', '192.168.1.1'])
    assert.equal(isPrivate(host), true, host)
  for (const host of ['8.8.8.8', '172.32.0.1', '11.0.0.1', 'example.org', '10.example.org'])
    assert.equal(isPrivate(host), false, host)
})

test('a node is firewalled unless its whole DHT is private, and bound to loopback if the DHT is', () => {
  const options = (...hosts: string[]): object => {
    const { bootstrap: _, ...rest } = dhtOptions(hosts.map((host) => ({ host, port: 1 })))
    return rest
  }
  assert.deepEqual(options(), {})
  assert.deepEqual(options('127.0.0.1', '127.0.0.2'), { host: '127.0.0.1', firewalled: false })
  assert.deepEqual(options('127.0.0.1', '10.0.0.1'), { firewalled: false })
  assert.deepEqual(options('10.0.0.1', '8.8.8.8'), {})
})
