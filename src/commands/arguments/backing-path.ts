import { isAbsolute } from 'node:path'

/**
 * A backing file's name, relative names taken from the directory of the image that names it: as short as the image's
 * own name was given, where resolveBacking() has absolute paths. What QEMU shows as full-backing-filename.
 */
export function backingPath(imagePath: string, backingName: string): string {
  if (isAbsolute(backingName) || backingName.includes(':')) return backingName
  return imagePath.slice(0, imagePath.lastIndexOf('/') + 1) + backingName
}
