import type { Given } from './arguments/command.js'
import { oneOf } from './arguments/options.js'
import { usageError } from './arguments/parse.js'
import { suggest } from './arguments/suggest.js'
import { print } from './display/output.js'
import { SHELLS, scriptFor } from './shells/scripts.js'
import { completion } from './table/completion.js'

export async function run({ operands }: Given<typeof completion>): Promise<number> {
  const [name = ''] = operands
  const shell = SHELLS.find(known => known === name)
  if (shell === undefined) {
    const near = suggest(name, SHELLS)
    const next = near === null ? `takes ${oneOf(SHELLS)}` : `did you mean '${near}'?`
    throw usageError(completion, `unknown shell '${name}': ${next}`)
  }
  await print(scriptFor(shell))
  return 0
}
