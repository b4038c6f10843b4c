import { createHash } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scratch } from '../mounting.js'
import { pattern } from '../pattern.js'
import type { Random } from '../random.js'
import { run, succeed, told } from '../tools.js'
import { initramfs } from './initramfs.js'
import { KERNEL, MBR } from './packages.js'

const KIB = 1024
const MIB = 1024 * KIB

/** Of the partition with the boot loader, kernel and initial RAM disk, and of the one with the files. */
const BOOT = { offset: MIB, size: 24 * MIB }
const FILES = { offset: BOOT.offset + BOOT.size, size: 47 * MIB }

const FILE_COUNT = 240

const SYSLINUX_CFG = `DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL /vmlinuz
  INITRD /initrd
  APPEND console=ttyS0 quiet panic=-1 nokaslr
`

export interface BootDisk {
  readonly size: number
  /** Where the file system with the files lies. */
  readonly files: { readonly offset: number; readonly size: number }
  /** Of all files, by their paths. */
  readonly hashes: ReadonlyMap<string, string>
  /** How many of them a boot reads. */
  readonly read: number
}

/**
 * Makes the disk of a machine in `path`, without mounting anything: a boot loader in a FAT partition with kernel and
 * initial RAM disk, and an ext4 partition with files, half of which the machine reads when it boots, in no order.
 */
export async function makeBootDisk(work: Scratch, path: string, random: Random): Promise<BootDisk> {
  const size = FILES.offset + FILES.size
  writeFileSync(path, '')
  truncateSync(path, size)
  const partitions = [
    `start=${BOOT.offset / 512}, size=${BOOT.size / 512}, type=6, bootable`,
    `start=${FILES.offset / 512}, size=${FILES.size / 512}, type=83`,
  ]
  const input = `label: dos\n${partitions.join('\n')}\n`
  told('sfdisk', [path], await run('sfdisk', ['--quiet', '--no-reread', path], { input }))
  const disk = await open(path, 'r+')
  await disk.write(readFileSync(MBR), 0, undefined, 0)
  await disk.close()
  await fillBootPartition(work, path)
  return { size, files: FILES, ...(await fillFiles(work, path, random)) }
}

async function fillBootPartition(work: Scratch, disk: string): Promise<void> {
  const drive = `${disk}@@${BOOT.offset}`
  const heads = 16
  const sectors = 32
  const cylinders = BOOT.size / 512 / heads / sectors
  const geometry = ['-h', `${heads}`, '-s', `${sectors}`, '-t', `${cylinders}`, '-H', `${BOOT.offset / 512}`]
  await succeed('mformat', '-i', drive, ...geometry, '::')
  await succeed('syslinux', '--install', '--offset', `${BOOT.offset}`, disk)
  const config = work.join('syslinux.cfg')
  const ram = work.join('initrd')
  writeFileSync(config, SYSLINUX_CFG)
  writeFileSync(ram, initramfs())
  await succeed('mcopy', '-i', drive, KERNEL, '::/vmlinuz')
  await succeed('mcopy', '-i', drive, config, ram, '::/')
}

async function fillFiles(work: Scratch, disk: string, random: Random) {
  const tree = await work.directory('tree')
  const hashes = new Map<string, string>()
  for (let n = 0; n < FILE_COUNT; n++) {
    await mkdir(join(tree, `d${n % 12}`), { recursive: true })
    const path = `d${n % 12}/f${n}`
    const bytes = pattern(0, random.between(1, 256) * KIB, n + 1, 1)
    hashes.set(path, createHash('sha256').update(bytes).digest('hex'))
    await writeFile(join(tree, path), bytes)
  }
  const rest = [...hashes.keys()]
  const list = Array.from({ length: FILE_COUNT / 2 }, () => {
    const [path] = rest.splice(random.below(rest.length), 1)
    return `${hashes.get(path!)}  ${path}\n`
  })
  await writeFile(join(tree, 'boot.list'), list.join(''))
  await succeed(
    'mkfs.ext4',
    '-q',
    '-F',
    '-d',
    tree,
    '-E',
    `offset=${FILES.offset}`,
    disk,
    `${FILES.size / KIB}k`,
  )
  await rm(tree, { recursive: true })
  return { hashes, read: list.length }
}
