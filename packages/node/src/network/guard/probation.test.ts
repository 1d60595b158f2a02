import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import SecretStream from '@hyperswarm/secret-stream'
import { atEnd, deadline } from '@many-cores/testing'
import { Probation } from './probation.ts'

/** Both ends of an idle connection. */
async function connect(t: TestContext): Promise<readonly [SecretStream, SecretStream]> {
  const [near, far] = [new SecretStream(true), new SecretStream(false)]
  atEnd(t, () => {
    for (const stream of [near, far]) stream.destroy()
  })
  for (const stream of [near, far]) stream.on('error', () => {})
  const [a, b] = [near.rawStream, far.rawStream] as unknown as readonly NodeJS.ReadWriteStream[]
  if (a !== undefined) b?.pipe(a).pipe(b)
  assert.deepEqual(await deadline('the handshake', Promise.all([near.opened, far.opened])), [true, true])
  return [near, far]
}

test('a peer that shares no log is disconnected after 30 s', async (t) => {
  const [near] = await connect(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const probation = new Probation(near)
  t.mock.timers.tick(29_999)
  assert.equal(near.destroying, false)
  t.mock.timers.tick(1)
  assert.equal(near.destroying, true)
  assert.equal(probation.isOver, false)
})
