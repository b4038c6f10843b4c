import { execFileSync } from 'node:child_process'
import { open } from 'node:fs/promises'
import { checkImage as check } from '../src/disk/check.js'
import { Extent, openImage } from '../src/index.js'
import { IoBuffer } from '../src/libc/io-buffer.js'
import type { ImageKind } from './contenders/contender.js'
import { BLOCK } from './pattern.js'
import { run } from './program.js'

/**
 * Whoever cheats is found out: when a mount is gone, the image must hold what was written through it. FVD has no other
 * reader than rawmount; its images are read by a process that never served them.
 */

const PROOFS = 16
const PROOF_BYTE = 0x5a

/** Writes known blocks through a mount, durably. */
export async function writeProof(path: string, size: number): Promise<void> {
  const file = await open(path, 'r+')
  const block = Buffer.alloc(BLOCK, PROOF_BYTE)
  for (const offset of proofOffsets(size)) await file.write(block, 0, BLOCK, offset)
  await file.sync()
  await file.close()
}

/** Throws unless the image holds them. */
export async function checkProof(image: string, { format }: ImageKind, size: number): Promise<void> {
  if (format === 'fvd') return checkFvdProof(image, size)
  const reads = proofOffsets(size).flatMap(offset => ['-c', `read -P ${PROOF_BYTE} ${offset} ${BLOCK}`])
  await run('qemu-io', ['-r', '-f', format, ...reads, image])
}

function checkFvdProof(path: string, size: number): void {
  const image = openImage(path, { format: 'fvd' })
  const block = new IoBuffer(BLOCK)
  try {
    for (const offset of proofOffsets(size)) {
      image.disk.read(offset, BLOCK, block, 0)
      if (block.bytes.some(byte => byte !== PROOF_BYTE)) throw new Error(`${path}: wrong bytes at ${offset}`)
    }
  } finally {
    image.close()
  }
}

function proofOffsets(size: number): number[] {
  const blocks = Math.floor(size / BLOCK)
  return Array.from({ length: PROOFS }, (_, index) => Math.floor(((index + 0.5) * blocks) / PROOFS) * BLOCK)
}

/**
 * Bytes of the disk that the image itself holds, not its backing file. Throws when anything is wrong with it. QED is
 * not left to qemu-img check, which the tests compare with this one: it reports a leak that is not there in any QED file
 * of 65535 clusters or more, its own among them.
 */
export function checkImage(image: string, { format, grain }: ImageKind): number {
  switch (format) {
    case 'raw':
      return Number.POSITIVE_INFINITY
    case 'qcow2':
      return qcow2Clusters(image) * grain
    case 'qed':
      return rawmountCheck(image, format)!.allocatedClusters * grain
    case 'fvd':
      rawmountCheck(image, format)
      return bytesInImage(image)
  }
}

function rawmountCheck(image: string, format: string) {
  const { report } = check(image, { format })
  if (report !== null && report.findings.length > 0) throw new Error(`${image}: ${report.findings[0]}`)
  return report
}

/** qemu-img check fails, and is thrown, when it finds anything. */
function qcow2Clusters(image: string): number {
  const report = execFileSync('qemu-img', ['check', '-f', 'qcow2', '--output=json', image], {
    encoding: 'utf8',
  })
  return JSON.parse(report)['allocated-clusters'] ?? 0
}

function bytesInImage(path: string): number {
  const image = openImage(path, { format: 'fvd' })
  const { size } = image.disk
  const extent = new Extent()
  let bytes = 0
  try {
    for (let offset = 0; offset < size; offset += extent.length) {
      image.disk.nextExtent(offset, size - offset, extent)
      if (extent.data && extent.depth === 0) bytes += extent.length
    }
  } finally {
    image.close()
  }
  return bytes
}
