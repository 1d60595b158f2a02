import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import test from 'node:test'
import { Status, type StatusOptions } from './status.ts'

const ERASE = '\r\u001b[2K'

/** A terminal or a pipe that records its output. */
class Screen extends Writable {
  readonly isTTY: boolean
  readonly columns: number
  text = ''

  constructor({ isTTY = true, columns = 40 }: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
    super()
    this.isTTY = isTTY
    this.columns = columns
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }

  take(): string {
    const { text } = this
    this.text = ''
    return text
  }
}

function onScreen(stream: Screen, options: Partial<StatusOptions> = {}): Status {
  return new Status({ name: 'writer', stream, env: { NO_COLOR: '1' }, ...options })
}

test('in a pipe each state is one line, never repeated in a row', () => {
  const screen = new Screen({ isTTY: false })
  const status = onScreen(screen)
  status.state('starting')
  status.state('starting')
  status.note('a peer came')
  status.state('starting')
  status.state('serving')
  status.state('starting')
  status.close()
  assert.equal(screen.text, 'writer: starting\nwriter: a peer came\nwriter: serving\nwriter: starting\n')
})

test('a pipe gets no progress, no color and no escape sequence', () => {
  const screen = new Screen({ isTTY: false })
  const status = onScreen(screen, { env: {} })
  status.state('reading')
  status.progress({ done: 1, total: 2, unit: 'line' })
  status.error('failed')
  assert.equal(screen.text, 'writer: reading\nwriter: failed\n')
})

test('on a terminal the state line is rewritten in place', () => {
  const screen = new Screen()
  const status = onScreen(screen)
  status.state('starting')
  assert.equal(screen.take(), `${ERASE}writer: starting`)
  status.state('serving')
  assert.equal(screen.take(), `${ERASE}writer: serving`)
  status.close()
  assert.equal(screen.take(), ERASE)
  status.close()
  assert.equal(screen.take(), '')
})

test('on a terminal notes and errors appear above the state line', () => {
  const screen = new Screen()
  const status = onScreen(screen)
  status.state('serving')
  screen.take()
  status.note('a peer came')
  assert.equal(screen.take(), `${ERASE}writer: a peer came\n${ERASE}writer: serving`)
  status.error('no network')
  assert.equal(screen.take(), `${ERASE}writer: no network\n${ERASE}writer: serving`)
})

test('progress appears after the state until the next one', () => {
  const screen = new Screen({ columns: 80 })
  const status = onScreen(screen)
  status.state('reading')
  screen.take()
  status.progress({ done: 1234567, total: 2469134, unit: 'line' })
  assert.equal(screen.take(), `${ERASE}writer: reading: 50 %  [#####-----]  1,234,567 of 2,469,134 lines`)
  status.progress({ done: 1234568, total: 2469134, unit: 'line' })
  assert.equal(screen.take(), '', 'too soon to read')
  status.progress({ done: 2469134, total: 2469134, unit: 'line' })
  assert.equal(screen.take(), `${ERASE}writer: reading: 100 %  [##########]  2,469,134 of 2,469,134 lines`)
  status.state('done')
  assert.equal(screen.take(), `${ERASE}writer: done`)
})

test('what of the progress does not fit is left out whole, the least important first', () => {
  const shown = (columns: number): string => {
    const screen = new Screen({ columns })
    const status = new Status({ name: 'reader', stream: screen, env: { NO_COLOR: '1' } })
    status.state('syncing; connected to 1 peer (local socket)')
    screen.take()
    const progress = { done: 123_456, total: 1_000_000, unit: 'line', bytes: 12_345_678, elapsed: 2000 }
    status.progress(progress)
    return screen.text.replace(ERASE, '')
  }
  const whole = 'reader: syncing: 12 %  15 s left  [#---------]'
  assert.equal(shown(30), 'reader: syncing: 12 %')
  assert.equal(shown(50), whole)
  assert.equal(shown(80), `${whole}  123,456 of 1,000,000 lines`)
  assert.equal(shown(120), `${whole}  123,456 of 1,000,000 lines  61,728 lines/s  12.3 MB`)
  assert.match(shown(160), /12\.3 MB {2}connected to 1 peer \(local socket\)$/)
})

test('progress without a total is a count', () => {
  const screen = new Screen()
  const status = onScreen(screen)
  status.state('reading')
  screen.take()
  status.progress({ done: 1000, unit: 'line' })
  assert.equal(screen.text, `${ERASE}writer: reading: 1,000 lines`)
})

test('on a shared terminal each state is a separate line', () => {
  const screen = new Screen()
  const status = onScreen(screen, { shared: true })
  status.state('starting')
  status.progress({ done: 1, unit: 'line' })
  status.state('serving')
  status.close()
  assert.equal(screen.text, 'writer: starting\nwriter: serving\n')
})

test('a terminal that cannot rewrite gets lines', () => {
  const screen = new Screen()
  onScreen(screen, { env: { TERM: 'dumb' } }).state('starting')
  assert.equal(screen.text, 'writer: starting\n')
})

test('quiet shows only errors', () => {
  for (const isTTY of [true, false]) {
    const screen = new Screen({ isTTY })
    const status = onScreen(screen, { level: 'quiet' })
    status.state('starting')
    status.progress({ done: 1, unit: 'line' })
    status.note('a peer came')
    status.detail('its address')
    status.error('failed')
    status.close()
    assert.equal(screen.text, 'writer: failed\n')
  }
})

test('turning quiet removes the state line', () => {
  const screen = new Screen()
  const status = onScreen(screen)
  status.state('starting')
  screen.take()
  status.level = 'quiet'
  status.state('serving')
  assert.equal(screen.take(), ERASE)
})

test('verbose shows details', () => {
  const screen = new Screen({ isTTY: false })
  const status = onScreen(screen)
  status.detail('hidden')
  status.level = 'verbose'
  status.detail('shown')
  assert.equal(screen.text, 'writer: shown\n')
})

test('the last state is known even if quiet', () => {
  const status = onScreen(new Screen(), { level: 'quiet' })
  status.state('closing the store')
  assert.equal(status.current, 'closing the store')
})

test('a state line is narrower than the terminal', () => {
  const screen = new Screen({ columns: 16 })
  onScreen(screen).state('opening the store')
  assert.equal(screen.text, `${ERASE}writer: openin…`)
})

test('COLUMNS is used if the terminal does not report its width', () => {
  const screen = new Screen({ columns: 0 })
  onScreen(screen, { env: { NO_COLOR: '1', COLUMNS: '16' } }).state('opening the store')
  assert.equal(screen.text, `${ERASE}writer: openin…`)
})

test('text cannot move the cursor', () => {
  const screen = new Screen({ columns: 80 })
  const status = onScreen(screen)
  status.state('a\u001b[5A\u0007\nc')
  assert.equal(screen.take(), `${ERASE}writer: a?[5A? c`)
  status.error('x\r\ny')
  assert.equal(screen.take(), `${ERASE}writer: x y\n${ERASE}writer: a?[5A? c`)
})

test('a terminal gets colors, except with NO_COLOR', () => {
  const coloured = new Screen()
  onScreen(coloured, { env: {} }).error('failed')
  assert.equal(coloured.text, '\u001b[31mwriter: failed\u001b[39m\n')
  const empty = new Screen()
  onScreen(empty, { env: { NO_COLOR: '' } }).error('failed')
  assert.equal(empty.text, coloured.text, 'an empty NO_COLOR is none')
  const plain = new Screen()
  onScreen(plain).error('failed')
  assert.equal(plain.text, 'writer: failed\n')
})

test('errors of the stream are ignored', async () => {
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
  const status = new Status({ name: 'writer', stream: broken })
  status.state('starting')
  await new Promise((resolve) => broken.once('close', resolve))
  status.error('lost')
  status.close()
})
