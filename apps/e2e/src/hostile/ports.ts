import { readdir, readFile, readlink } from 'node:fs/promises'

/** The open UDP ports of a process (Linux). */
export interface OpenPorts {
  readonly ports: readonly number[]
  /** Bytes that the process has not received yet. */
  waiting(): Promise<number>
}

interface Row {
  readonly port: number
  readonly waiting: number
  readonly inode: string
}

export async function udpPortsOf(pid: number): Promise<OpenPorts> {
  const descriptors = await readdir(`/proc/${pid}/fd`)
  const targets = descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => ''))
  const own = new Set(
    (await Promise.all(targets)).map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')
  )
  const rows = async (): Promise<Row[]> => (await readRows(pid)).filter(({ inode }) => own.has(inode))
  return {
    ports: (await rows()).map(({ port }) => port),
    waiting: async () => (await rows()).reduce((sum, row) => sum + row.waiting, 0)
  }
}

async function readRows(pid: number): Promise<Row[]> {
  const [, ...rows] = (await readFile(`/proc/${pid}/net/udp`, 'utf8')).trim().split('\n')
  return rows.map((row) => {
    const fields = row.trim().split(/\s+/)
    return { port: hex(fields[1]), waiting: hex(fields[4]), inode: fields[9] ?? '' }
  })
}

/** The number after the colon, or the whole field. */
function hex(field = ''): number {
  return Number.parseInt(field.slice(field.indexOf(':') + 1), 16)
}
