import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { temporary } from '@many-cores/testing'
import { commonOptions } from './common-options.ts'
import { type NetworkChoice, networkOf } from './network-options.ts'
import { parseOptions } from './options.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)

async function choose(argv: readonly string[], env: Record<string, string> = {}): Promise<NetworkChoice> {
  const parsed = parseOptions(commonOptions('reader'), { argv, env })
  assert.equal(parsed.asks, 'run')
  return await networkOf(parsed.values, env)
}

test('without --allow every peer may connect, and --local turns off lan', async () => {
  assert.deepEqual(await choose([]), { bootstrap: [], local: false, lan: true })
  assert.deepEqual(await choose(['--local', '--max-peers', '3']), {
    bootstrap: [],
    local: true,
    lan: false,
    maxPeers: 3
  })
})

test('keys to allow come from flags, the environment and a file with comments', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'allow')
  await writeFile(file, `# mine\n\n${A.toUpperCase()} laptop\n  ${B} # the office\n`)
  assert.deepEqual((await choose(['--allow', A, '--allow', B])).allow, [A, B])
  assert.deepEqual((await choose([], { MANY_CORES_ALLOW: `${A},${B}` })).allow, [A, B])
  assert.deepEqual((await choose(['--allow-file', file])).allow, [A, B])
  assert.deepEqual((await choose(['--allow-file', 'allow'], { INIT_CWD: directory })).allow, [A, B])

  const usage = { code: 'USAGE' } as const
  await writeFile(file, `${A}\nnonsense\n`)
  await assert.rejects(choose(['--allow-file', file]), {
    ...usage,
    message: /^--allow-file, line 2: not a key/
  })
  await writeFile(file, '# none\n')
  await assert.rejects(choose(['--allow-file', file]), { ...usage, message: /no peer could connect/ })
  await assert.rejects(choose(['--allow-file', join(directory, 'none')]), { ...usage, message: /ENOENT/ })
  await assert.rejects(choose(['--allow', 'nonsense']), { ...usage, message: /^--allow: not a key/ })
})

test('--bootstrap accepts the addresses that the library accepts, one per option', async () => {
  const good = ['127.0.0.1:49737', 'host.example:1', '49737']
  assert.deepEqual((await choose(good.map((address) => `--bootstrap=${address}`))).bootstrap, good)
  assert.deepEqual((await choose([], { MANY_CORES_BOOTSTRAP: good.join(',') })).bootstrap, good)
  for (const bad of ['host', ':1', 'host:0', 'a:1,b:2', '[::1]:1', '1.2.3.4@host.example:1'])
    await assert.rejects(choose(['--bootstrap', bad]), { code: 'USAGE', message: /^--bootstrap: / })
})

test('conflicting options, an invalid relay and --max-peers 0 are refused, naming the flag', async () => {
  const usage = { code: 'USAGE' } as const
  const excluded = { ...usage, message: /^--local cannot be combined with --bootstrap or --relay/ }
  await assert.rejects(choose(['--local', '--relay', A]), excluded)
  await assert.rejects(choose(['--local', '--bootstrap', '127.0.0.1:49737']), excluded)
  await assert.rejects(choose(['--relay', 'nonsense']), { ...usage, message: /^--relay: not a key/ })
  await assert.rejects(choose(['--max-peers', '0']), {
    ...usage,
    message: "--max-peers: invalid N '0': expected a whole number, at least 1"
  })
  assert.equal((await choose(['--relay', A])).relay, A)
})
