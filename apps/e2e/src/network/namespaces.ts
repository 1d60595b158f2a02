import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'

/** By default, Linux keeps a packet's port if it can. With this rule, each destination sees another port. */
const SYMMETRIC_NAT =
  'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; add rule ip nat out oifname "wan" masquerade fully-random'

/** Why tests that need network namespaces are skipped here, or false. */
export const whyNoNamespaces: string | false = findWhyNoNamespaces()

/** Network namespaces as machines: each has its loopback, and an address in one network without a gateway. */
export interface Lan {
  /** The namespaces' names, for `StartOptions.namespace`. */
  readonly machines: readonly string[]
  addressOf(machine: number): string
  /** Gives a machine one more address. */
  addAddress(machine: number, address: string): void
  /** Disconnects a machine from the network. */
  cut(machine: number): void
  /** Connects it again. */
  join(machine: number): void
  /** Replaces the interface of a machine by another one with the same address. */
  replace(machine: number): void
}

/** Opens a namespace with nothing but its loopback. */
export function openAlone(t: TestContext): string {
  const name = `mc${process.pid}-alone`
  openNamespace(t, name)
  return name
}

/** Opens `count` namespaces, and one more with the bridge that connects them. */
export function openLan(t: TestContext, count: number): Lan {
  const bridge = `mc${process.pid}-br`
  openNamespace(t, bridge)
  ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', bridge, 'link', 'set', 'br0', 'up')
  const addressOf = (machine: number): string => `10.77.0.${machine + 1}`
  const nameOf = (machine: number): string => `mc${process.pid}-${machine}`
  const plugIn = (machine: number): void => {
    const [name, port] = [nameOf(machine), `port${machine}`]
    ip('-n', bridge, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up')
    ip('-n', name, 'addr', 'add', `${addressOf(machine)}/24`, 'dev', 'eth0')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
  }
  const machines = Array.from({ length: count }, (_, machine) => {
    openNamespace(t, nameOf(machine))
    plugIn(machine)
    return nameOf(machine)
  })
  const set = (machine: number, state: 'up' | 'down'): void => {
    ip('-n', bridge, 'link', 'set', `port${machine}`, state)
  }
  return {
    machines,
    addressOf,
    addAddress: (machine, address) =>
      ip('-n', machines[machine] ?? '', 'addr', 'add', `${address}/24`, 'dev', 'eth0'),
    cut: (machine) => set(machine, 'down'),
    join: (machine) => set(machine, 'up'),
    replace: (machine) => {
      ip('-n', bridge, 'link', 'del', `port${machine}`)
      plugIn(machine)
    }
  }
}

/** Machines behind symmetric NATs, and one that is reachable from all of them. */
export interface Natted {
  readonly machines: readonly string[]
  readonly world: string
  readonly worldAddress: string
}

/** Why tests that need symmetric NATs are skipped here, or false. */
export const whyNoNats: string | false = whyNoNamespaces || findWhyNoNats()

/**
 * Opens `count` namespaces, each behind its own router, and one without a router. The addresses between them are
 * public ones: peers would treat private ones as near.
 */
export function openNatted(t: TestContext, count: number): Natted {
  const net = `mc${process.pid}-net`
  openNamespace(t, net)
  ip('-n', net, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', net, 'link', 'set', 'br0', 'up')
  const connect = (name: string, port: string, address: string): void => {
    ip('-n', net, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'wan', 'netns', name)
    ip('-n', net, 'link', 'set', port, 'master', 'br0', 'up')
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'wan')
    ip('-n', name, 'link', 'set', 'wan', 'up')
  }
  const world = `mc${process.pid}-world`
  const worldAddress = '44.77.0.1'
  openNamespace(t, world)
  connect(world, 'world', worldAddress)
  const machines = Array.from({ length: count }, (_, machine) => {
    const router = `mc${process.pid}-nat${machine}`
    openNamespace(t, router)
    connect(router, `nat${machine}`, `44.77.0.${machine + 10}`)
    const name = `mc${process.pid}-${machine}`
    openNamespace(t, name)
    ip('-n', router, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('-n', router, 'addr', 'add', '192.168.1.1/24', 'dev', 'lan')
    ip('-n', router, 'link', 'set', 'lan', 'up')
    ip('-n', name, 'addr', 'add', '192.168.1.2/24', 'dev', 'eth0')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
    ip('-n', name, 'route', 'add', 'default', 'via', '192.168.1.1')
    ip('netns', 'exec', router, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    ip('netns', 'exec', router, 'nft', SYMMETRIC_NAT)
    return name
  })
  return { machines, world, worldAddress }
}

function findWhyNoNats(): string | false {
  const name = `mc${process.pid}-probe`
  try {
    ip('netns', 'add', name)
    try {
      ip('netns', 'exec', name, 'nft', SYMMETRIC_NAT)
      return false
    } finally {
      ip('netns', 'del', name)
    }
  } catch (error) {
    return `no NAT can be created here, which requires nft (nftables): ${String(error).split('\n')[0]}`
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

function findWhyNoNamespaces(): string | false {
  if (process.platform !== 'linux') return 'network namespaces require Linux'
  if (process.getuid?.() !== 0) return 'only root can create network namespaces'
  const name = `mc${process.pid}-probe`
  try {
    ip('netns', 'add', name)
    ip('netns', 'del', name)
    return false
  } catch (error) {
    return `network namespaces cannot be created here: ${String(error).split('\n')[0]}`
  }
}
