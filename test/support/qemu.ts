import { readFile, rm } from 'node:fs/promises'
import { openImage } from '../../src/disk/open.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import type { Scratch } from './mounting.js'
import { run, succeed } from './tools.js'

/** QEMU's tools as the second opinion on every image. */
export const QEMU = ['qemu-img', 'qemu-io'] as const

/** Runs commands of qemu-io (man qemu-io) on an image. */
export async function qemuIo(image: string, format: string, ...commands: readonly string[]): Promise<void> {
  await succeed('qemu-io', '-f', format, ...commands.flatMap(command => ['-c', command]), image)
}

/** As qemuIo, but the program dies after the last command, as in a crash: nothing is closed. */
export async function qemuIoCrash(
  image: string,
  format: string,
  ...commands: readonly string[]
): Promise<void> {
  const { signal } = await run('qemu-io', [
    '-f',
    format,
    ...[...commands, 'abort'].flatMap(c => ['-c', c]),
    image,
  ])
  if (signal !== 'SIGABRT') throw new Error(`qemu-io did not abort, but ended with ${signal}`)
}

/** All that QEMU reads from an image and its chain. */
export async function bytesByQemu(image: string, format: string): Promise<Buffer> {
  const copy = `${image}.as-raw`
  await succeed('qemu-img', 'convert', '-f', format, '-O', 'raw', image, copy)
  const bytes = await readFile(copy)
  await rm(copy)
  return bytes
}

/** All that this package reads from an image and its chain. */
export function bytesByRawmount(image: string, writable = false): Buffer {
  const opened = openImage(image, { writable })
  try {
    const buffer = new IoBuffer(1 << 20)
    const bytes = Buffer.alloc(opened.disk.size)
    for (let offset = 0; offset < bytes.length; offset += buffer.length) {
      const length = Math.min(buffer.length, bytes.length - offset)
      opened.disk.read(offset, length, buffer, 0)
      bytes.set(buffer.bytes.subarray(0, length), offset)
    }
    return bytes
  } finally {
    opened.close()
  }
}

/** A new image by qemu-img in the directory of the test, of the format that its name ends in; returns its path. */
export async function createByQemu(
  work: Scratch,
  name: string,
  size: string,
  options = '',
  backing: readonly string[] = [],
): Promise<string> {
  const image = work.join(name)
  const list = options === '' ? [] : ['-o', options]
  const format = name.split('.').at(-1)!
  await succeed('qemu-img', 'create', '-q', '-f', format, ...list, ...backing, image, size)
  return image
}
