import assert from 'node:assert/strict'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import test from 'node:test'
import { defaultStorage, resolvePath } from './paths.ts'

test('a relative path is resolved from the directory where pnpm was started', () => {
  assert.equal(resolvePath('store', { INIT_CWD: '/home/me/project' }), '/home/me/project/store')
  assert.equal(resolvePath('../store', { INIT_CWD: '/home/me/project' }), '/home/me/store')
})

test('without pnpm a relative path is resolved from the working directory', () => {
  assert.equal(resolvePath('store', {}), resolve('store'))
  assert.equal(resolvePath('store', { INIT_CWD: '' }), resolve('store'))
  assert.equal(resolvePath('store', { INIT_CWD: 'relative' }), resolve('store'))
})

test('an absolute path does not change', () => {
  assert.equal(resolvePath('/var/store', { INIT_CWD: '/home/me' }), '/var/store')
})

test('the store is in the XDG data directory', () => {
  assert.equal(
    defaultStorage('writer', { XDG_DATA_HOME: '/data', HOME: '/home/me' }),
    '/data/many-cores/writer'
  )
})

test('a data directory that is unset or relative is ignored', () => {
  for (const XDG_DATA_HOME of [undefined, '', 'data']) {
    assert.equal(
      defaultStorage('reader', { XDG_DATA_HOME, HOME: '/home/me' }),
      '/home/me/.local/share/many-cores/reader'
    )
  }
})

test('without an absolute HOME the user database provides the home directory', () => {
  for (const HOME of [undefined, '', 'me'])
    assert.equal(
      defaultStorage('reader', { HOME }),
      join(userInfo().homedir, '.local/share/many-cores/reader')
    )
})
