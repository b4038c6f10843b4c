import type { Contender } from './contender.js'
import { qemu, qemuQcow2 } from './qemu.js'
import { rawFile } from './raw-file.js'
import {
  rawmountFvdCompact,
  rawmountFvdFlat,
  rawmountKernel,
  rawmountLibfuse,
  rawmountQed,
} from './rawmount.js'

export const CONTENDERS: readonly Contender[] = [
  rawFile,
  qemu,
  rawmountKernel,
  rawmountLibfuse,
  qemuQcow2,
  rawmountQed,
  rawmountFvdFlat,
  rawmountFvdCompact,
]
