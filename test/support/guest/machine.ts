import type { Scratch } from '../mounting.js'
import { collect } from '../tools.js'

/** Milliseconds; on a busy machine without hardware to help, a boot takes a minute. */
const LIMIT = 240_000

/**
 * Boots a machine from a disk, through its BIOS and the boot loader on it, and waits until it has turned itself off.
 * Returns what it said on its serial console. QEMU emulates the processor, so that it runs within a virtual machine too.
 */
export async function boot(work: Scratch, disk: string): Promise<string> {
  const child = work.start(
    'qemu-system-x86_64',
    ...['-machine', 'pc,accel=tcg', '-cpu', 'max', '-m', '256'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-drive', `file=${disk},format=raw,if=virtio,cache=none`],
  )
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT)
  const { code, signal, stdout, stderr } = await collect(child)
  clearTimeout(timer)
  if (code !== 0 || stderr !== '')
    throw new Error(`the machine ended with ${signal ?? code}: ${stderr}\n${stdout}`)
  return stdout
}
