import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** A field of /proc/PID/status in MiB: VmHWM (most resident ever), VmRSS (resident now). */
export function residentMiB(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)
  if (match === null) throw new Error(`process ${pid}: /proc tells no ${field}`)
  return Number(match[1]) / 1024
}

/** Milliseconds of processor time that all threads of a process have used. /proc/PID/stat would count in 10 ms. */
export function processorTime(pid: number): number {
  let nanoseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return nanoseconds / 1e6
}

/** Returns when a process has ended, or throws after `patience` milliseconds. Not cut short by an interruption. */
export async function ended(pid: number, patience = 20_000): Promise<void> {
  for (const deadline = Date.now() + patience; existsSync(`/proc/${pid}`); await setTimeout(10)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} does not end`)
  }
}
