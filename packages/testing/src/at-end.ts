import type { TestContext } from 'node:test'

type Step = () => unknown

const steps = new WeakMap<TestContext, Step[]>()

/** Runs `step` after the test, passed or failed. Newest first, whereas node:test would run the oldest first. */
export function atEnd(t: TestContext, step: Step): void {
  const known = steps.get(t)
  if (known !== undefined) {
    known.push(step)
    return
  }
  const own = [step]
  steps.set(t, own)
  t.after(async () => {
    for (const next of own.reverse()) await next()
  })
}
