import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import type { Program } from './harness/program.ts'
import { linesOf, UNKNOWN_KEY } from './harness/samples.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'

test('a command can come before or after the options, or after the key', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 3))
  await mkdir(sandbox.path('reader'))
  for (const args of [
    ['verify', '-q', writer.key],
    ['-q', 'verify', writer.key],
    ['--timeout', '20', writer.key, 'verify']
  ]) {
    const { stdout } = await ended(sandbox.run('reader', { storage: 'reader', args }))
    assert.match(stdout.text, /^verified 3 lines/)
  }
  // a value is not a command
  const read = ['--raw', '-e', '--group', 'verify']
  const { stdout } = await ended(sandbox.reader(writer.key, { args: read }))
  assert.equal(stdout.text, linesOf(0, 3).join(''))
})

test('no usage error repeats the key', async (t) => {
  const sandbox = await Sandbox.open(t)
  const runs = [
    ['cursor', UNKNOWN_KEY, UNKNOWN_KEY],
    [UNKNOWN_KEY, UNKNOWN_KEY],
    [UNKNOWN_KEY, `pear://${UNKNOWN_KEY}`],
    ['--from', UNKNOWN_KEY],
    ['--set', UNKNOWN_KEY, 'cursors', UNKNOWN_KEY],
    [`--${UNKNOWN_KEY}`]
  ].map(async (args) => {
    const { stderr } = await ended(sandbox.run('reader', { args }), 2)
    assert.ok(!stderr.text.includes(UNKNOWN_KEY.slice(0, 12)), stderr.text)
  })
  await Promise.all(runs)
})

test('one-letter options of kcat and tail do what they do there', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const runs: [readonly string[], number, number][] = [
    [['-n', '3', '-e'], 97, 100],
    [['-o', 'beginning', '-c', '2'], 0, 2],
    [['-o', 'earliest', '-e'], 0, 100],
    [['-o', '-5', '-c2'], 95, 97],
    [['-o', '40', '--until', 'latest'], 40, 100],
    [['-o', 's@0', '-c', '1'], 0, 1]
  ]
  for (const [index, [args, from, to]] of runs.entries()) {
    const reader = sandbox.reader(writer.key, { args: [...args, '--raw'], storage: `r${index}` })
    assert.equal((await ended(reader)).stdout.text, linesOf(from, to).join(''), args.join(' '))
  }
})

test('what users of tail and kcat type in vain is answered with what does it here', async (t) => {
  const sandbox = await Sandbox.open(t)
  const fails = (name: 'reader' | 'writer', ...args: readonly string[]): Promise<Program> =>
    ended(sandbox.run(name, { args }), 2)
  assert.match((await fails('reader', '-f', UNKNOWN_KEY)).stderr.text, /-f; .*--exit.*--format/)
  assert.match((await fails('reader', '--follow', UNKNOWN_KEY)).stderr.text, /--exit/)
  assert.match((await fails('reader', '-20', UNKNOWN_KEY)).stderr.text, /-n N/)
  assert.match((await fails('reader', '--form', 'end', UNKNOWN_KEY)).stderr.text, /--from or --format/)
  assert.match((await fails('writer', '-F', 'app.log')).stderr.text, /--input FILE/)
})

test('options of a followed file without one are refused, and patterns that name no file', async (t) => {
  const sandbox = await Sandbox.open(t)
  const runs: [readonly string[], RegExp][] = [
    [['--rotated', 'old/*'], /^writer: --rotated needs --input FILE[^\n]*\n$/],
    [['--rotated', 'old/*', '--input', '-'], /^writer: --rotated needs --input FILE/],
    [['--grace', '1'], /^writer: --grace needs --input FILE[^\n]*\n$/],
    ...['/', 'old/', '..', './old/.'].map((pattern): [readonly string[], RegExp] => [
      ['--input', 'app.log', '--rotated', pattern],
      /^writer: --rotated: invalid pattern '[^\n]*\n$/
    ])
  ]
  for (const [args, text] of runs) {
    const writer = await sandbox.writer({ args })
    writer.end()
    await writer.ends(2)
    assert.match(writer.stderr.text, text)
  }
  assert.equal(existsSync(sandbox.path('writer')), false)
})

test('reader help lists the commands and exit codes; help of a command, its own options only', async (t) => {
  const sandbox = await Sandbox.open(t)
  const help = async (...args: readonly string[]): Promise<string> =>
    (await ended(sandbox.run('reader', { args, storage: null }))).stdout.text
  assert.match(await help('help'), /\n {2}verify KEY +\S.*\n(.*\n)*\nExit codes:\n {2}0 +done/)
  assert.match(await help('help', 'verify'), /^Usage: reader verify /)
  const id = await help('id', '--help')
  assert.match(id, /--storage/)
  assert.doesNotMatch(id, /--from|--relay|Network/)
})

test('a store in the variable of both programs is refused: one process uses a store', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { stderr } = await ended(
    sandbox.run('writer', { storage: null, env: { MANY_CORES_STORAGE: '/nowhere' } }),
    2
  )
  assert.match(stderr.text, /MANY_CORES_WRITER_STORAGE/)
})

test('writer key prints the key of the stored log, and exits with 3 if there is none', async (t) => {
  const sandbox = await Sandbox.open(t)
  const none = await ended(sandbox.run('writer', { command: 'key', storage: 'writer' }), 3)
  assert.equal(none.stdout.text, '')
  assert.ok(!existsSync(sandbox.path('writer')))
  const key = await sandbox.publish('line\n')
  const { stdout, stderr } = await ended(sandbox.run('writer', { command: 'key', storage: 'writer' }))
  assert.equal(stdout.text, `${key}\n`)
  assert.equal(stderr.text, '')
  const source = await sandbox.writer()
  await keyOf(source)
  const beside = await ended(sandbox.run('writer', { command: 'key', storage: 'writer' }))
  assert.equal(beside.stdout.text, `${key}\n`)
  await ended(sandbox.reader(key, { args: ['--raw', '--count', '1'] }))
  await source.kill()
  await ended(sandbox.run('writer', { command: 'key', storage: 'reader' }), 3)
})
