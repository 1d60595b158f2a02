import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { atEnd, temporary } from '@many-cores/testing'
import type { FollowOptions } from '../index.ts'
import { Client } from './client.ts'
import { Log } from './log.ts'

/** What happens to a log. */
export interface Scenario {
  /** Before it is followed. */
  readonly before?: (log: Log) => unknown
  /** One after the other, each in a tick of its own. */
  readonly steps: readonly ((log: Log) => unknown)[]
  readonly options?: FollowOptions
  /** Default: everything that was written after `before`, and what is in the log then. */
  readonly expected?: string
  readonly name?: string
  /** `lost` statuses. Default: none. */
  readonly lost?: readonly { readonly reason: string; readonly bytes: number }[]
  readonly ways?: readonly Way[]
}

export type Way = 'live' | 'stalled' | 'after a restart'

const WAYS: readonly Way[] = ['live', 'stalled', 'after a restart']

/** A test for each way in which the log can be followed: exactly the expected bytes come, whatever happens. */
export function inEachWay(name: string, scenario: Scenario): void {
  for (const way of scenario.ways ?? WAYS) void test(`${name}: ${way}`, (t) => run(t, scenario, way))
}

async function run(t: TestContext, scenario: Scenario, way: Way): Promise<void> {
  const { before, steps, options = {}, name, expected, lost = [] } = scenario
  const log = new Log(await temporary(t), name)
  atEnd(t, () => log.close())
  await before?.(log)
  await log.tick()
  const client = await Client.start(t, log.path, options)
  await client.has(log.written)
  if (way === 'stalled') client.stall()
  if (way === 'after a restart') await client.stop()
  for (const step of steps) {
    await log.tick()
    await step(log)
    if (way === 'live' && expected === undefined && log.written.endsWith('\n')) await client.has(log.written)
  }
  if (way === 'stalled') client.resume()
  if (way === 'after a restart') await client.start()
  await client.has(expected ?? log.written)
  // nothing comes twice
  await client.finish()
  assert.equal(client.text, expected ?? log.written)
  assert.deepEqual(
    client.lost.map(({ reason, bytes }) => ({ reason, bytes })),
    lost
  )
}
