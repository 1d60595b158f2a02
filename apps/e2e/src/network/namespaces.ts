import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'

/** Linux keeps a packet's port where it can; with this, each destination gets another. */
const SYMMETRIC_NAT =
  'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; add rule ip nat out oifname "wan" masquerade fully-random'

/** Why a test that needs network namespaces is skipped here; false where it is not. */
export const whyNoNamespaces: string | false = findWhyNot()

/** Machines of their own, as far as networks go: each has its loopback and an address in one network without a gateway. */
export interface Lan {
  /** The namespaces' names, for `StartOptions.namespace`. */
  readonly machines: readonly string[]
  addressOf(machine: number): string
  /** Gives a machine one more address, which none has. */
  addAddress(machine: number, address: string): void
  /** Pulls the cable of one machine. */
  cut(machine: number): void
  /** Puts it back. */
  join(machine: number): void
  /** Unplugs the interface of one machine, and plugs in another one, which gets the same address. */
  replace(machine: number): void
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

/** Machines behind NATs that show each peer another port, and one that everybody reaches. */
export interface Natted {
  readonly machines: readonly string[]
  readonly world: string
  readonly worldAddress: string
}

/** Why a test that needs such NATs is skipped here; false where it is not. */
export const whyNoNats: string | false = whyNoNamespaces || findNoNat()

/**
 * `count` namespaces, each behind a router of its own, and one without. The addresses between them are none of a private
 * network's, for peers take those for near.
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

function findNoNat(): string | false {
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
    return `a NAT cannot be made here, for which nft (nftables) is needed: ${String(error).split('\n')[0]}`
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
