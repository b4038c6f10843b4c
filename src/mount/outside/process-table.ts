import { readFileSync } from 'node:fs'

/** Fields of /proc/PID/stat behind the command's name, which may itself hold blanks and brackets. */
function fields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null // no such process
  }
}

const STATE = 0
const START_TIME = 19

/** Tells a process from a later one of the same number; null when there is none. @see man 5 proc */
export function startTime(pid: number): string | null {
  return fields(pid)?.[START_TIME] ?? null
}

/** A zombie, whose files are closed, counts as ended. */
export function isRunning(pid: number, started: string | null): boolean {
  const stat = fields(pid)
  return stat !== null && stat[START_TIME] === started && stat[STATE] !== 'Z' && stat[STATE] !== 'X'
}
