import assert from 'node:assert/strict'
import test from 'node:test'
import { messageOf, oneLine, quote, truncate, wrap } from './text.ts'

test('oneLine keeps text from breaking the line, moving the cursor or reversing direction', () => {
  assert.equal(oneLine('a\r\nb\tc\u2028d\n'), 'a b c d')
  assert.equal(oneLine('a\u001b[2Kb\u009b31mc\u202ed\u007f'), 'a?[2Kb?31mc?d?')
  assert.equal(oneLine('bell\u0007 and \u0000'), 'bell? and ?')
  assert.equal(oneLine('  größe – 漢字 👩‍🚀'), '  größe – 漢字 👩‍🚀')
})

test('a quotation is short and on one line', () => {
  assert.equal(quote('a\nb'), "'a b'")
  assert.equal(quote('x'.repeat(61)), `'${'x'.repeat(60)}…'`)
})

test('truncate marks the cut', () => {
  assert.equal(truncate('abcdef', 6), 'abcdef')
  assert.equal(truncate('abcdef', 5), 'abcd…')
  assert.equal(truncate('abcdef', 1), '…')
})

test('wide characters count as two columns', () => {
  assert.equal(truncate('漢字', 4), '漢字')
  assert.equal(truncate('漢字漢', 4), '漢…')
  assert.equal(truncate('a漢字', 4), 'a漢…')
})

test('wrapped lines fit the width, except for a longer word', () => {
  assert.deepEqual(wrap('aa bb cc', 5), ['aa bb', 'cc'])
  assert.deepEqual(wrap('a longerthanthat b', 5), ['a', 'longerthanthat', 'b'])
})

test('a message is never empty', () => {
  assert.equal(messageOf(new Error(' a\nb ')), 'a b')
  assert.equal(messageOf(new TypeError('')), 'TypeError')
  assert.equal(messageOf(new AggregateError([new Error('refused')])), 'refused')
  assert.equal(messageOf(new AggregateError([])), 'AggregateError')
  assert.equal(messageOf('text'), 'text')
  assert.equal(messageOf(''), 'unknown error')
  assert.equal(messageOf(undefined), 'undefined')
})
