import { execFileSync } from 'node:child_process'
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, loadavg, release, totalmem } from 'node:os'

/** Where a run was made, and with what. */
export interface Machine {
  readonly processor: string
  readonly processors: number
  readonly virtualMachine: boolean
  readonly memoryGiB: number
  readonly system: string
  readonly kernel: string
  /** Of the directory with the images. */
  readonly fileSystem: string
  readonly loadAtStart: number
  readonly versions: Readonly<Record<'node' | 'qemu' | 'fio' | 'rawmount', string>>
}

export function describeMachine(directory: string): Machine {
  const cpuinfo = readText('/proc/cpuinfo')
  return {
    processor: field(cpuinfo, /^model name\s*: (.*)$/m) ?? process.arch,
    processors: availableParallelism(),
    virtualMachine: /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: field(readText('/etc/os-release'), /^PRETTY_NAME="?(.*?)"?$/m) ?? 'Linux',
    kernel: release(),
    fileSystem: output('findmnt', '--noheadings', '--output', 'FSTYPE', '--target', directory),
    loadAtStart: loadavg()[0]!,
    versions: {
      node: process.versions.node,
      qemu: firstLine(output('qemu-storage-daemon', '--version')).replace('qemu-storage-daemon version ', ''),
      fio: firstLine(output('fio', '--version')).replace('fio-', ''),
      rawmount: JSON.parse(readText(new URL('../../package.json', import.meta.url))).version as string,
    },
  }
}

/** One line for people. */
export function machineLine({ processor, processors, virtualMachine, memoryGiB, ...rest }: Machine): string {
  const kind = virtualMachine ? ' (virtual machine)' : ''
  return `${processors} × ${processor}${kind}, ${memoryGiB} GiB; ${rest.system}, Linux ${rest.kernel}, ${rest.fileSystem}`
}

export function versionsLine({ versions }: Machine): string {
  return `rawmount ${versions.rawmount}, Node.js ${versions.node}, QEMU ${versions.qemu}, fio ${versions.fio}`
}

export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

export function availableMemory(): number {
  return Number(field(readText('/proc/meminfo'), /^MemAvailable:\s+(\d+) kB$/m) ?? 0) * 1024
}

function readText(path: string | URL): string {
  return readFileSync(path, 'utf8')
}

function field(text: string, pattern: RegExp): string | null {
  return pattern.exec(text)?.[1] ?? null
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim()
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}
