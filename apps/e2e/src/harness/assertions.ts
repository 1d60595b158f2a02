import assert from 'node:assert/strict'
import { underLoad } from './load.ts'
import type { Program } from './program.ts'

/** The longest time from a signal to the exit of a program. */
export const END_MS = 2000

/** Sends `signal`, and checks that the program exits with `code` within 2 s, with everything closed. */
export async function endsQuickly(program: Program, signal: NodeJS.Signals, code: number): Promise<void> {
  program.signal(signal)
  const took = await program.ends(code)
  assert.ok(
    took < underLoad(END_MS),
    `${program.name} took ${took} ms to end; it said: ${program.stderr.text}`
  )
  assert.doesNotMatch(program.stderr.text, /not closed/)
}

/** Checks that the program printed nothing but one line with the reason for its end. */
export function assertOneSentence(program: Program): void {
  const lines = program.stderr.lines.filter((line) => !/: (opening the store|finding peers)$/.test(line))
  assertReason(program, lines)
}

/** Checks that the program ended with 2 and one line with the reason. */
export async function assertUsageError(program: Program): Promise<void> {
  await program.ends(2)
  assertReason(program, program.stderr.lines)
}

/** Checks that standard error has no stack trace. */
export function assertNoStack({ stderr }: Program, what?: string): void {
  assert.doesNotMatch(stderr.text, /^(writer:|reader:)? +at |Suppressed/m, what)
}

function assertReason(program: Program, lines: readonly string[]): void {
  assert.equal(lines.length, 1, lines.join('\n'))
  assert.match(lines[0] ?? '', new RegExp(`^${program.name}: \\S`))
  assert.equal(program.stdout.text, '')
  assertNoStack(program)
}
