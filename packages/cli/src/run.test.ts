import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { atEnd, deadline } from '@many-cores/testing'

const PROGRAM = fileURLToPath(new URL('fixtures/program.js', import.meta.url))
const DEADLINE_MS = 20_000

/** A child process that runs one of the mains in `fixtures/program.ts`. */
class Program {
  readonly process: ChildProcessByStdio<null, Readable, Readable>
  stderr = ''
  readonly #closed: Promise<unknown>

  constructor(t: TestContext, ending: string, ...argv: readonly string[]) {
    // a process that outlives a failing test would keep the runner waiting
    atEnd(t, () => this.process.kill('SIGKILL'))
    this.process = spawn(process.execPath, [PROGRAM, ending, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // it may close while a test waits for something else
    this.#closed = once(this.process, 'close')
    this.#closed.catch(() => {})
  }

  /** Resolves when standard error contains `text`. */
  async prints(text: string): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    while (!this.stderr.includes(text)) {
      await once(this.process.stderr, 'data', { signal }).catch(() => {
        throw new Error(`waited for '${text}', got '${this.stderr}'`)
      })
    }
  }

  /** Resolves to the exit code when the process has ended and standard error is read. */
  async ended(): Promise<number | null> {
    await deadline('the end of the process', this.#closed, DEADLINE_MS)
    return this.process.exitCode
  }

  /** Reads standard output to its end. */
  async output(): Promise<string> {
    let text = ''
    for await (const chunk of this.process.stdout.setEncoding('utf8')) text += String(chunk)
    return text
  }
}

/** Runs a program that exits without a signal. */
async function result(
  t: TestContext,
  ending: string,
  ...argv: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = new Program(t, ending, ...argv)
  const [stdout, code] = await Promise.all([program.output(), program.ended()])
  return { code, stdout, stderr: program.stderr }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143]
] as const) {
  test(`${signal} lets the program close, and exits ${code}`, async (t) => {
    const program = new Program(t, 'polite')
    await program.prints('working')
    program.process.kill(signal)
    program.process.stdout.resume()
    assert.equal(await program.ended(), code)
    assert.equal(program.stderr, 'program: working\nprogram: closing\nprogram: closed\n')
  })
}

test('SIGHUP is ignored without a terminal', async (t) => {
  const program = new Program(t, 'polite')
  await program.prints('working')
  program.process.kill('SIGHUP')
  program.process.kill('SIGTERM')
  program.process.stdout.resume()
  assert.equal(await program.ended(), 143)
})

test('a second signal of another kind exits at once, with the code of the first', async (t) => {
  const program = new Program(t, 'stuck')
  program.process.stdout.resume()
  await program.prints('working')
  program.process.kill('SIGINT')
  await program.prints('closing')
  program.process.kill('SIGTERM')
  assert.equal(await program.ended(), 130)
  assert.equal(program.stderr, 'program: working\nprogram: closing the store\n')
})

test('the same signal within 500 ms is ignored', async (t) => {
  const program = new Program(t, 'slow')
  program.process.stdout.resume()
  await program.prints('working')
  program.process.kill('SIGINT')
  await program.prints('closing')
  program.process.kill('SIGINT')
  assert.equal(await program.ended(), 130)
  assert.match(program.stderr, /closed\n$/)
})

test('the same signal again after 500 ms exits at once', async (t) => {
  const program = new Program(t, 'stuck')
  program.process.stdout.resume()
  await program.prints('working')
  program.process.kill('SIGINT')
  await program.prints('500 ms are over')
  program.process.kill('SIGINT')
  assert.equal(await program.ended(), 130)
  assert.doesNotMatch(program.stderr, /not closed/)
})

test('a program that does not close exits after 2 s, with its last status', async (t) => {
  const program = new Program(t, 'stuck')
  program.process.stdout.resume()
  await program.prints('working')
  const start = performance.now()
  program.process.kill('SIGTERM')
  assert.equal(await program.ended(), 143)
  const took = performance.now() - start
  assert.ok(took > 1900 && took < 4000, `took ${took} ms`)
  assert.match(program.stderr, /program: not closed 2 s after SIGTERM; last status: closing the store\n$/)
})

test('a program may throw the reason of its signal', async (t) => {
  const program = new Program(t, 'passive')
  program.process.stdout.resume()
  await program.prints('working')
  program.process.kill('SIGINT')
  assert.equal(await program.ended(), 130)
  assert.equal(program.stderr, 'program: working\n')
})

for (const ending of ['flood', 'heedless']) {
  test(`a closed standard output ends the program silently with 0: ${ending}`, async (t) => {
    const program = new Program(t, ending)
    await once(program.process.stdout, 'data')
    program.process.stdout.destroy()
    assert.equal(await program.ended(), 0)
    assert.equal(program.stderr, 'program: closed\n')
  })
}

test('a program that does not close after its standard output was closed exits silently', async (t) => {
  const program = new Program(t, 'deaf')
  await once(program.process.stdout, 'data')
  program.process.stdout.destroy()
  assert.equal(await program.ended(), 0)
  assert.equal(program.stderr, '')
})

test('a closed standard error changes nothing', async (t) => {
  const program = new Program(t, 'polite')
  program.process.stdout.resume()
  await program.prints('working')
  program.process.stderr.destroy()
  program.process.kill('SIGINT')
  assert.equal(await program.ended(), 130)
})

test('a slow reader gets everything', async (t) => {
  const program = new Program(t, 'burst')
  const ended = program.ended()
  await program.prints('still here')
  const output = await program.output()
  assert.equal(output.length, 400_000)
  assert.equal(await ended, 0)
})

test('a signal ends the wait for a slow reader', async (t) => {
  const program = new Program(t, 'burst')
  await program.prints('still here')
  program.process.kill('SIGINT')
  await once(program.process, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) })
  assert.equal(program.process.exitCode, 130)
})

test('open handles do not keep the process', async (t) => {
  assert.deepEqual(await result(t, 'lingering'), { code: 6, stdout: 'data\n', stderr: '' })
})

test('an error with a code is one line and its exit code', async (t) => {
  assert.deepEqual(await result(t, 'coded'), {
    code: 7,
    stdout: '',
    stderr: 'program: the store is? in use\n'
  })
})

test('a usage error is one line and 2', async (t) => {
  assert.deepEqual(await result(t, 'usage'), {
    code: 2,
    stdout: '',
    stderr: 'program: unknown option --strage; did you mean --storage?\n'
  })
})

test('a verbose program shows stacks and causes', async (t) => {
  const { code, stderr } = await result(t, 'verbose')
  assert.equal(code, 1)
  assert.match(stderr, /^program: outer\nprogram: Error: outer\nprogram: {5}at .*program/)
  assert.match(stderr, /\[cause\]: Error: inner\n/)
})

test('an unhandled rejection is one line, closes the program, and is 1', async (t) => {
  assert.deepEqual(await result(t, 'rejected'), {
    code: 1,
    stdout: '',
    stderr: 'program: unhandled\nprogram: closed\n'
  })
})

test('an uncaught exception is one line and 1', async (t) => {
  assert.deepEqual(await result(t, 'thrown'), { code: 1, stdout: '', stderr: 'program: uncaught\n' })
})

test('a program with nothing left to wait for exits with 1, and reports it', async (t) => {
  assert.deepEqual(await result(t, 'standstill'), {
    code: 1,
    stdout: '',
    stderr: 'program: internal error: exited early\n'
  })
})

test('another user of graceful-goodbye can end the program', async (t) => {
  assert.deepEqual(await result(t, 'dismissed'), { code: 0, stdout: '', stderr: 'program: closed\n' })
})

test('console output of libraries stays off standard output', async (t) => {
  assert.deepEqual(await result(t, 'chatty'), { code: 0, stdout: 'data\n', stderr: '' })
})

test('if closing fails after an error, the error is reported and determines the exit code', async (t) => {
  assert.deepEqual(await result(t, 'unclosable'), {
    code: 8,
    stdout: '',
    stderr: 'program: no space left\n'
  })
})

test('the arguments are without node, the script and a leading --', async (t) => {
  const { stdout } = await result(t, '--', 'arguments', '--', '--local', 'KEY')
  assert.deepEqual(JSON.parse(stdout), ['arguments', '--', '--local', 'KEY'])
})
