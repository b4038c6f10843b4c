import { createRequire } from 'node:module'
import { ImageError } from '../errors.js'

/** The part of fuse-native, a package without types, that is used here. */
export interface FuseNative {
  mount(done: (error: Error | null) => void): void
}
export type FuseNativeClass = new (
  mountpoint: string,
  handlers: object,
  options: Record<string, string | boolean>,
) => FuseNative

const require = createRequire(import.meta.url)

/** Loads the package when it is asked for, as a machine that has no libfuse 2 can do without. ImageError MOUNT. */
export function loadFuseNative(): FuseNativeClass {
  try {
    return require('fuse-native') as FuseNativeClass
  } catch (cause) {
    throw new ImageError('MOUNT', `the libfuse transport cannot be loaded: ${nextStep(cause as Error)}`, {
      cause,
    })
  }
}

export function nextStep(error: Error): string {
  if (/libfuse\.so\.2/.test(error.message)) {
    return 'libfuse.so.2 is missing: install the package libfuse2, or use --transport kernel'
  }
  if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') {
    // npm leaves it out where it does not load when it is installed: without libfuse 2.
    return 'the package fuse-native is missing: install libfuse2 and then rawmount again, or use --transport kernel'
  }
  return `fuse-native has no build for this machine (${process.arch}): use --transport kernel`
}
