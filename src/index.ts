/**
 * The library: open, make, change and check images without a mount, and fill them from their bases. All but the latter is
 * synchronous; see docs/architecture.md for why.
 */

export { CopyEngine } from './copy/engine.js'
export type { CopyStatus } from './copy/status.js'
export { attachDisk } from './disk/attach.js'
export { renameBase } from './disk/backing-name.js'
export { type CheckedImage, type CheckImageOptions, checkImage } from './disk/check.js'
export { type CommitImageOptions, ImageCommit } from './disk/commit-image.js'
export type { CopyRequest } from './disk/copying.js'
export { type CreateImageOptions, createImage } from './disk/create.js'
export type { DiskDescription } from './disk/descriptions.js'
export { Disk } from './disk/disk.js'
export { Extent } from './disk/extents.js'
export { type ChainMember, type OpenImage, type OpenImageOptions, openImage } from './disk/open.js'
export { ImageRebase, type RebaseImageOptions } from './disk/rebase-image.js'
export { type ResizedImage, type ResizeImageOptions, resizeImage } from './disk/resize.js'
export { type ChangedField, type UpdateImageOptions, updatableFields, updateImage } from './disk/update.js'
export { ImageError, type ImageErrorCode } from './errors.js'
export type { CheckReport, HeaderField, ImageFacts, Measured, Repair } from './formats/format.js'
export { formatNames } from './formats/registry.js'
export { SystemError } from './libc/errno.js'
export { IoBuffer } from './libc/io-buffer.js'
export { type Compared, type CompareOptions, compareImages } from './transfer/compare.js'
export { type Converted, type ConvertImageOptions, convertImage } from './transfer/convert.js'
export { CrewError, type Progress } from './transfer/crew.js'
export { type MeasureOptions, measureImage } from './transfer/measure.js'
