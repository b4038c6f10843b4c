/**
 * The library: open, make, change and check images without a mount, and fill them from their bases. All but the latter is
 * synchronous; see docs/architecture.md for why.
 */

export { CopyEngine } from './copy/engine.js'
export type { CopyStatus } from './copy/status.js'
export { attachDisk } from './disk/attach.js'
export { type CheckedImage, type CheckImageOptions, checkImage } from './disk/check.js'
export type { CopyRequest } from './disk/copying.js'
export { type CreateImageOptions, createImage } from './disk/create.js'
export type { DiskDescription } from './disk/descriptions.js'
export { Disk } from './disk/disk.js'
export { Extent } from './disk/extents.js'
export { type ChainMember, type OpenImage, type OpenImageOptions, openImage } from './disk/open.js'
export { type ChangedField, type UpdateImageOptions, updatableFields, updateImage } from './disk/update.js'
export { ImageError, type ImageErrorCode } from './errors.js'
export type { CheckReport, HeaderField, ImageFacts, Repair } from './formats/format.js'
export { formatNames } from './formats/registry.js'
export { SystemError } from './libc/errno.js'
export { IoBuffer } from './libc/io-buffer.js'
