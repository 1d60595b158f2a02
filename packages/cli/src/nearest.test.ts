import assert from 'node:assert/strict'
import test from 'node:test'
import { nearest } from './nearest.ts'

const NAMES = ['storage', 'bootstrap', 'local', 'from', 'group']

test('one or two slips of the finger are forgiven', () => {
  assert.equal(nearest('strage', NAMES), 'storage')
  assert.equal(nearest('form', NAMES), 'from')
  assert.equal(nearest('locall', NAMES), 'local')
})

test('two letters that changed places are one slip', () => {
  assert.equal(nearest('exti', ['text', 'exit']), 'exit')
})

test('a name may be cut short when only one begins so', () => {
  assert.equal(nearest('boot', NAMES), 'bootstrap')
  assert.equal(nearest('port', ['portal', 'portion']), 'portal', 'two begin so: the fewest edits decide')
})

test('a word unlike any name has no nearest', () => {
  assert.equal(nearest('colour', NAMES), undefined)
  assert.equal(nearest('x', NAMES), undefined)
  assert.equal(nearest('', NAMES), undefined)
  assert.equal(nearest('ab', ['cd']), undefined, 'every letter is another')
  assert.equal(nearest('storage', []), undefined)
})
