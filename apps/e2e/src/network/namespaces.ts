import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { atEnd } from '../at-end.ts'

/** Why a test that needs network namespaces is skipped here; false where it is not. */
export const whyNoNamespaces: string | false = findWhyNot()

/** Machines of their own, as far as networks go: each has its loopback and an address in one network without a gateway. */
export interface Lan {
  /** The namespaces' names, for `StartOptions.namespace`. */
  readonly machines: readonly string[]
  addressOf(machine: number): string
  /** Pulls the cable of one machine. */
  cut(machine: number): void
  /** Puts it back. */
  join(machine: number): void
}

/** A namespace with nothing but its loopback. */
export function openAlone(t: TestContext): string {
  const name = `mc${process.pid}-alone`
  openNamespace(t, name)
  return name
}

/** `count` namespaces that are joined by a bridge in one more. */
export function openLan(t: TestContext, count: number): Lan {
  const bridge = `mc${process.pid}-br`
  openNamespace(t, bridge)
  ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', bridge, 'link', 'set', 'br0', 'up')
  const addressOf = (machine: number): string => `10.77.0.${machine + 1}`
  const machines = Array.from({ length: count }, (_, machine) => {
    const name = `mc${process.pid}-${machine}`
    openNamespace(t, name)
    const port = `port${machine}`
    ip('-n', bridge, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up')
    ip('-n', name, 'addr', 'add', `${addressOf(machine)}/24`, 'dev', 'eth0')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
    return name
  })
  const set = (machine: number, state: 'up' | 'down'): void => {
    ip('-n', bridge, 'link', 'set', `port${machine}`, state)
  }
  return {
    machines,
    addressOf,
    cut: (machine) => set(machine, 'down'),
    join: (machine) => set(machine, 'up')
  }
}

function openNamespace(t: TestContext, name: string): void {
  ip('netns', 'add', name)
  atEnd(t, () => ip('netns', 'del', name))
  ip('-n', name, 'link', 'set', 'lo', 'up')
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

function findWhyNot(): string | false {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'only root can make network namespaces'
  const name = `mc${process.pid}-probe`
  try {
    ip('netns', 'add', name)
    ip('netns', 'del', name)
    return false
  } catch (error) {
    return `network namespaces cannot be made here: ${String(error).split('\n')[0]}`
  }
}
