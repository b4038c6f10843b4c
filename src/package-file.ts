/**
 * Where a file of the package is, by its path from the top. This module must lie at the top of src: from there the top of
 * the package is two levels up, in dist/src as well as in dist/bin, where the program is joined.
 */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url)
}
