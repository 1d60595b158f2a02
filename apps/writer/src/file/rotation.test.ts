import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNextName, laterNames, rotatedNames } from './rotation.ts'

test('the names of rotated files continue with a dot or a dash', () => {
  const names = ['app.log', 'app.log.1', 'app.log-20240101', 'app.logs', 'other.log.1', 'app.lo']
  assert.deepEqual(rotatedNames('app.log', names), ['app.log.1', 'app.log-20240101'])
})

test('of numbered files the smaller number is later', () => {
  const names = ['a.1', 'a.10', 'a', 'a.2', 'a.9', 'a.old', 'a.3.gz']
  assert.deepEqual(laterNames('a', names, 'a.10'), ['a.9', 'a.2', 'a.1', 'a'])
  assert.deepEqual(laterNames('a', names, 'a.1'), ['a'])
  assert.deepEqual(laterNames('a', names, 'a'), [])
})

test('of dated files the greater date is later', () => {
  const names = ['a-20240102', 'a-20231231', 'a', 'a-20240101', 'a.1']
  assert.deepEqual(laterNames('a', names, 'a-20231231'), ['a-20240101', 'a-20240102', 'a'])
  assert.deepEqual(laterNames('a', ['a.20240102', 'a.20240103', 'a'], 'a.20240102'), ['a.20240103', 'a'])
})

test('a file of another kind is followed only by the file itself, if it exists', () => {
  assert.deepEqual(laterNames('a', ['a', 'a.1', 'a.old'], 'a.old'), ['a'])
  assert.deepEqual(laterNames('a', ['a.1', 'a.old'], 'a.old'), [])
})

test('no file can be between consecutive numbers; there can be one between others', () => {
  assert.ok(isNextName('a', 'a.10', 'a.9'))
  assert.ok(isNextName('a', 'a.1', 'a'))
  assert.ok(!isNextName('a', 'a.10', 'a.8'))
  assert.ok(!isNextName('a', 'a.2', 'a'))
  assert.ok(isNextName('a', 'a-20231231', 'a-20240103'))
})
