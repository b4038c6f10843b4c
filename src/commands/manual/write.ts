import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageFile } from '../../package-file.js'
import { version } from '../../version.js'
import { SHELLS, type Shell, scriptFor } from '../shells/scripts.js'
import { manual } from './pages.js'

/**
 * Writes the manual and the completion scripts below a directory, where a system keeps them below /usr/share: a step of
 * the build. `node write.js DIRECTORY`; without one, dist/share.
 */
const share = process.argv[2] ?? fileURLToPath(packageFile('dist/share'))

/** Where the shells look. */
const PLACES: Record<Shell, string> = {
  bash: 'bash-completion/completions/rawmount',
  zsh: 'zsh/site-functions/_rawmount',
  fish: 'fish/vendor_completions.d/rawmount.fish',
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(share, path)), { recursive: true })
  writeFileSync(join(share, path), text)
}

/** As other builds that can be repeated take it. @see https://reproducible-builds.org/specs/source-date-epoch/ */
const { SOURCE_DATE_EPOCH } = process.env
const built = SOURCE_DATE_EPOCH === undefined ? new Date() : new Date(Number(SOURCE_DATE_EPOCH) * 1000)

for (const { name, section, text } of manual({
  version: version(),
  date: built.toISOString().slice(0, 10),
})) {
  put(`man/man${section}/${name}.${section}`, text)
}
for (const shell of SHELLS) put(PLACES[shell], scriptFor(shell))
