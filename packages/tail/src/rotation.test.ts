import assert from 'node:assert/strict'
import { closeSync, copyFileSync, mkdirSync, openSync, statSync, truncateSync, utimesSync } from 'node:fs'
import { test } from 'node:test'
import { temporary } from '@many-cores/testing'
import { Client } from './testing/client.ts'
import { Log } from './testing/log.ts'
import { inEachWay, type Scenario } from './testing/scenario.ts'

inEachWay('a log that is renamed once, with lines that were not read', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => {
      log.append('2\n')
      log.rotate('app.log.1')
    },
    (log) => log.append('3\n')
  ]
})

inEachWay('three rotations with descending numbers', {
  before: (log) => {
    log.append('old\n', 'app.log.1')
    log.written = ''
    log.append('1\n')
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => {
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('3\n'),
    (log) => {
      log.rename('app.log.2', 'app.log.3')
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('4\n'),
    (log) => {
      log.rename('app.log.3', 'app.log.4')
      log.rename('app.log.2', 'app.log.3')
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('5\n')
  ]
})

inEachWay('ascending numbers, where `.1` is the oldest', {
  before: (log) => {
    log.append('old\n', 'app.log.1')
    log.append('old too\n', 'app.log.2')
    log.written = ''
    log.append('1\n')
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('app.log.3'),
    (log) => log.append('3\n'),
    (log) => log.rotate('app.log.4'),
    (log) => log.append('4\n'),
    // the last one that is kept
    (log) => {
      log.remove('app.log.1')
      for (const number of [2, 3, 4]) log.rename(`app.log.${number}`, `app.log.${number - 1}`)
      log.rotate('app.log.4')
    },
    (log) => log.append('5\n')
  ]
})

inEachWay('years, which look like numbers', {
  before: (log) => {
    log.append('old\n', 'app.log.2025')
    log.written = ''
    log.append('1\n')
  },
  steps: [
    (log) => log.rotate('app.log.2026'),
    (log) => log.append('2\n'),
    (log) => log.rotate('app.log.2027'),
    (log) => log.append('3\n')
  ]
})

inEachWay('dates with numbers, of which `.10` follows `.9`', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.rotate('app.log.2026-05-04.9'),
    (log) => log.append('2\n'),
    (log) => log.rotate('app.log.2026-05-04.10'),
    (log) => log.append('3\n'),
    (log) => log.rotate('app.log.2026-05-04.11'),
    (log) => log.append('4\n')
  ]
})

inEachWay('two rotations with compress and delaycompress', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('app.log.1'),
    (log) => log.append('3\n'),
    (log) => {
      log.rename('app.log.1', 'app.log.2')
      log.pack('app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('three rotations with compress', {
  before: (log) => log.append('1\n'),
  steps: [1, 2, 3].flatMap((number): Scenario['steps'] => [
    (log) => log.append(`not read before rotation ${number}\n`),
    (log) => {
      for (let older = number - 1; older > 0; older--)
        log.rename(`app.log.${older}.gz`, `app.log.${older + 1}.gz`)
      log.rotate('app.log.1')
      log.pack('app.log.1')
    },
    (log) => log.append(`after rotation ${number}\n`)
  ])
})

inEachWay('dates before the extension', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('app-20260504.log'),
    (log) => log.append('3\n'),
    (log) => {
      log.pack('app-20260504.log')
      log.rotate('app-20260505.log')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('older files in a directory that `rotated` names', {
  before: (log) => {
    mkdirSync(log.at('old'))
    log.append('1\n')
  },
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('old/app.log.1'),
    (log) => log.append('3\n'),
    (log) => {
      log.rename('old/app.log.1', 'old/app.log.2')
      log.pack('old/app.log.2')
      log.rotate('old/app.log.1')
    },
    (log) => log.append('4\n')
  ],
  options: { rotated: ['old/app.log*'] }
})

inEachWay('names that only `rotated` knows', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('archive-monday-app'),
    (log) => log.append('3\n'),
    (log) => log.rotate('archive-tuesday-app'),
    (log) => log.append('4\n')
  ],
  options: { rotated: ['archive-*-app'] }
})

inEachWay('copytruncate', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.copyTruncate('app.log.1'),
    (log) => log.append('3, which is longer than what was there\n'),
    (log) => {
      log.rename('app.log.1', 'app.log.2')
      log.copyTruncate('app.log.1')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('copytruncate with compress', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => {
      log.append('2\n')
      log.copyTruncate('app.log.1')
      log.pack('app.log.1')
    },
    (log) => log.append('3\n'),
    (log) => {
      log.append('4\n')
      log.rename('app.log.1.gz', 'app.log.2.gz')
      log.copyTruncate('app.log.1')
      log.pack('app.log.1')
    },
    (log) => log.append('5\n')
  ]
})

let original = 0n

inEachWay('copytruncate with compress, where the packed copy gets the time of the original', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => {
      original = statSync(log.path, { bigint: true }).mtimeNs
      log.copyTruncate('app.log.1')
    },
    (log) => log.append('3\n'),
    (log) => {
      utimesSync(log.at('app.log.1'), Number(original) / 1e9, Number(original) / 1e9)
      log.pack('app.log.1')
      log.rename('app.log.1.gz', 'app.log.2.gz')
      log.copyTruncate('app.log.1')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('copytruncate whose copy was begun long before the log is cut off', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => {
      copyFileSync(log.path, log.at('app.log.1'))
      utimesSync(log.at('app.log.1'), 1, 1)
    },
    (log) => truncateSync(log.path),
    (log) => log.append('3\n')
  ]
})

for (const hours of [-2, 2]) {
  const setClock = (path: string): void => {
    const time = Date.now() / 1000 + hours * 3600
    utimesSync(path, time, time)
  }
  inEachWay(`copytruncate with a clock that is ${hours} hours ahead, and corrected`, {
    before: (log) => {
      log.append('1\n')
      setClock(log.path)
    },
    steps: [
      (log) => {
        log.append('2\n')
        setClock(log.path)
      },
      (log) => {
        log.copyTruncate('app.log.1')
        setClock(log.at('app.log.1'))
      },
      (log) => log.append('3\n'),
      (log) => {
        log.rename('app.log.1', 'app.log.2')
        log.copyTruncate('app.log.1')
      },
      (log) => log.append('4\n')
    ]
  })

  inEachWay(`two rotations with a clock that is ${hours} hours ahead, and corrected`, {
    before: (log) => {
      log.append('1\n')
      setClock(log.path)
    },
    steps: [
      (log) => log.append('2\n'),
      (log) => log.rotate('app.log.1'),
      (log) => log.append('3\n'),
      (log) => {
        log.rename('app.log.1', 'app.log.2')
        log.rotate('app.log.1')
      },
      (log) => log.append('4\n')
    ]
  })
}

inEachWay('a log that is truncated, written and renamed at once', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => {
      log.append('2\n')
      log.copyTruncate('app.log.1')
      log.append('3\n')
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('4\n')
  ]
})

inEachWay('the same banner and the same last line in each file', {
  before: (log) => log.append('banner\n1\nend\n'),
  steps: [
    (log) => log.rotate('app.log.1'),
    (log) => log.append('banner\n2\nend\n'),
    (log) => {
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('banner\n3\nend\n'),
    (log) => {
      log.rename('app.log.2', 'app.log.3')
      log.pack('app.log.3')
      log.rename('app.log.1', 'app.log.2')
      log.rotate('app.log.1')
    },
    (log) => log.append('banner\n4\nend\n')
  ]
})

inEachWay('a rotation that is undone', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rename('app.log', 'app.log.1'),
    (log) => log.rename('app.log.1', 'app.log'),
    (log) => log.append('3\n')
  ]
})

inEachWay('more rotations than files are watched', {
  before: (log) => log.append('0\n'),
  steps: Array.from({ length: 12 }, (_, number): Scenario['steps'] => [
    (log) => log.append(`last of ${number}\n`),
    (log) => log.rotate(`app.log-${number}`),
    (log) => log.append(`first of ${number + 1}\n`)
  ]).flat()
})

inEachWay('a log that does not exist for a while', {
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rename('app.log', 'app.log.1'),
    (log) => closeSync(openSync(log.at('app.log.2'), 'a')),
    (log) => log.append('3\n')
  ]
})

inEachWay('paths that are not ASCII', {
  name: 'журнал 日志 ünï.log',
  before: (log) => log.append('1\n'),
  steps: [
    (log) => log.append('2\n'),
    (log) => log.rotate('журнал 日志 ünï.log.1'),
    (log) => log.append('3\n')
  ]
})

for (const how of ['rename', 'copytruncate'])
  test(`a hundred rotations while nothing ran, read with a restart after each file: ${how}`, async (t) => {
    const log = new Log(await temporary(t))
    for (let older = 0; older < 70; older++) log.append('not ours\n', `app.log.older.${older}`)
    log.written = ''
    log.append('0\n')
    const client = await Client.start(t, log.path, { rotated: ['app.log.older.*'] })
    await client.has('0\n')
    await client.stop()
    for (let number = 1; number <= 100; number++) {
      await log.tick()
      log.append(`last of ${number}\n`)
      if (how === 'rename') log.rotate(`app.log-${number}`)
      else log.copyTruncate(`app.log-${number}`)
      await log.tick()
      log.append(`first of ${number}\n`)
    }
    while (client.text.length < log.written.length) {
      const { length } = client.text
      client.stall()
      await client.start()
      client.resume()
      await client.until('the next lines', () => client.text.length > length)
      await client.stop()
    }
    await client.finish()
    assert.equal(client.text, log.written)
    assert.deepEqual(client.lost, [])
  })

test('with `once`, more rotations than files are open are read to the end', async (t) => {
  const log = new Log(await temporary(t))
  const client = new Client(log.path)
  log.append('0\n')
  await client.finish()
  for (const run of [1, 2]) {
    for (let number = 1; number <= 20; number++) {
      await log.tick()
      log.append(`line ${number}\n`)
      log.rotate(`app.log-${run}-${number}`)
    }
    log.append('end\n')
    await client.finish()
    assert.equal(client.text, log.written)
  }
})
