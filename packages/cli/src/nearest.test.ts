import assert from 'node:assert/strict'
import test from 'node:test'
import { nearest } from './nearest.ts'

const NAMES = ['storage', 'bootstrap', 'local', 'from', 'group']

test('one or two typos still match', () => {
  assert.equal(nearest('strage', NAMES), 'storage')
  assert.equal(nearest('form', NAMES), 'from')
  assert.equal(nearest('locall', NAMES), 'local')
})

test('two swapped letters are one edit', () => {
  assert.equal(nearest('exti', ['text', 'exit']), 'exit')
})

test('a prefix of only one name matches it', () => {
  assert.equal(nearest('boot', NAMES), 'bootstrap')
  assert.equal(nearest('port', ['portal', 'portion']), 'portal', 'two begin with it: the fewest edits win')
})

test('a word that resembles no name matches none', () => {
  assert.equal(nearest('colour', NAMES), undefined)
  assert.equal(nearest('x', NAMES), undefined)
  assert.equal(nearest('', NAMES), undefined)
  assert.equal(nearest('ab', ['cd']), undefined, 'every letter differs')
  assert.equal(nearest('storage', []), undefined)
})
