/**
 * The library: open, make and check images without a mount. Everything is synchronous; see docs/architecture.md for
 * why.
 */
export { type CheckedImage, type CheckImageOptions, checkImage } from './disk/check.js'
export { type CreateImageOptions, createImage } from './disk/create.js'
export { Disk, type DiskDescription } from './disk/disk.js'
export { Extent } from './disk/extents.js'
export { type ChainMember, type OpenImage, type OpenImageOptions, openImage } from './disk/open.js'
export { ImageError, type ImageErrorCode } from './errors.js'
export type { CheckReport, ImageFacts, Repair } from './formats/format.js'
export { formatNames } from './formats/registry.js'
export { SystemError } from './libc/errno.js'
export { IoBuffer } from './libc/io-buffer.js'
