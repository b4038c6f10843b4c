import { bashScript } from './bash.js'
import { fishScript } from './fish.js'
import { grammar } from './grammar.js'
import { zshScript } from './zsh.js'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const WRITERS: Record<Shell, (of: ReturnType<typeof grammar>) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

/** The completion of rawmount for a shell, as text of that shell. */
export function scriptFor(shell: Shell): string {
  return WRITERS[shell](grammar())
}
