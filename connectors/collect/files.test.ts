import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from '@jest/globals'
import { readRecords } from './files.ts'

const folder = mkdtempSync(join(tmpdir(), 'netsentinel-files-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const read = async (path: string): Promise<Buffer[]> => {
  const records: Buffer[] = []
  for await (const record of readRecords(path)) records.push(record)
  return records
}

const texts = async (path: string) => (await read(path)).map(record => record.toString('utf8'))

describe('the records of a file', () => {
  it('are its lines, without empty ones, whatever ends a line', async () => {
    expect(await texts(file('a.ndjson', '{"a":1}\n\n{"b":"é"}\r\nlast'))).toEqual([
      '{"a":1}',
      '{"b":"é"}',
      'last',
    ])
  })

  it('are the same when the file is gzipped, whatever its name', async () => {
    expect(await texts(file('b.ndjson', gzipSync('{"a":1}\n{"b":2}\n')))).toEqual(['{"a":1}', '{"b":2}'])
  })

  it('are the bytes that stand there, also where they are no UTF-8', async () => {
    expect(await read(file('c.log', Buffer.from([0x61, 0xff, 0x0a, 0x80])))).toEqual([
      Buffer.from([0x61, 0xff]),
      Buffer.from([0x80]),
    ])
  })

  it('are JSON with the name of the log for rows of a tab-separated Zeek log', async () => {
    const log = [
      '#separator \\x09',
      '#set_separator\t,',
      '#empty_field\t(empty)',
      '#unset_field\t-',
      '#path\tconn',
      '#fields\tts\tuid\tid.orig_h\tid.resp_p\tservice\tlocal_orig\ttags\tnote',
      '#types\ttime\tstring\taddr\tport\tstring\tbool\tset[string]\tstring',
      '1396512508.123456\tCx\t192.0.2.1\t443\t-\tT\ta,b\tline\\x0abreak',
      '1396512509.000000\tCy\t192.0.2.2\t80\thttp\tF\t(empty)\t-',
      '#close\t2014-04-03-10-10-00',
    ].join('\n')
    expect((await texts(file('conn.log', log))).map(text => JSON.parse(text) as unknown)).toEqual([
      {
        _path: 'conn',
        ts: 1396512508.123456,
        uid: 'Cx',
        'id.orig_h': '192.0.2.1',
        'id.resp_p': 443,
        local_orig: true,
        tags: ['a', 'b'],
        note: 'line\nbreak',
      },
      {
        _path: 'conn',
        ts: 1396512509,
        uid: 'Cy',
        'id.orig_h': '192.0.2.2',
        'id.resp_p': 80,
        service: 'http',
        local_orig: false,
        tags: [],
      },
    ])
  })

  it.each([
    ['a file that is not there', join(folder, 'absent'), /there is no file .*absent/],
    ['a folder', folder, /cannot be read/],
    ['broken gzip', file('d.gz', Buffer.from([0x1f, 0x8b, 0, 0, 0])), /cannot be read/],
    [
      'a row of a Zeek log with too few cells',
      file('e.log', '#separator \\x09\n#fields\ta\tb\nx'),
      /1 cells.*names 2/,
    ],
  ])('cannot be had of %s, and the error says so', async (_, path, message) => {
    await expect(read(path)).rejects.toThrow(message)
  })
})
