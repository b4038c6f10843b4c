import { checkImage } from '../disk/check.js'
import { ImageError } from '../errors.js'
import type { CheckReport } from '../formats/format.js'
import type { Given } from './arguments/command.js'
import { print, printJson } from './display/output.js'
import { oneLine, reportError } from './display/report.js'
import { namingUsers } from './file-users.js'
import type { check } from './table/check.js'

/** Exit codes of `qemu-img check`. */
const Exit = { clean: 0, incomplete: 1, corrupt: 2, leaks: 3, noCheck: 63 } as const

export async function run({ values, operands }: Given<typeof check>): Promise<number> {
  const [path = ''] = operands
  const { format, forceShare, allowDevices } = values
  const repair = values.repair ?? 'none'
  const first = namingUsers([path], () =>
    checkImage(path, { format, repair, allowDevices, forceShare: forceShare && repair === 'none' }),
  )
  if (first.report === null) {
    reportError(new ImageError('INVALID', `${path}: the format ${first.format} has no metadata to check`))
    return Exit.noCheck
  }
  const { corruptionsFixed, leaksFixed } = first.report
  // What a repair leaves is what the next check finds, not what the repair believes.
  const last = corruptionsFixed + leaksFixed > 0 ? checkImage(path, { format, allowDevices }) : first
  const report = { ...last.report!, corruptionsFixed, leaksFixed }
  if (values.output === 'json') await printJson(forPrograms(path, last.format, report))
  else if (!values.quiet) await print(forPeople(first.report, report))
  if (report.errors > 0) {
    reportError(
      new ImageError(
        'IO',
        `${path}: the check is incomplete, ${report.errors} part(s) could not be read or written`,
      ),
    )
  }
  return exitCode(report)
}

function exitCode({ errors, corruptions, leaks }: CheckReport): number {
  if (errors > 0) return Exit.incomplete
  if (corruptions > 0) return Exit.corrupt
  return leaks > 0 ? Exit.leaks : Exit.clean
}

/** The keys of QEMU's ImageCheck; counts that are zero are left out, as there. */
function forPrograms(path: string, format: string, report: CheckReport): Record<string, unknown> {
  const some = (count: number): number | undefined => (count === 0 ? undefined : count)
  return {
    'image-end-offset': some(report.imageEndOffset),
    'total-clusters': some(report.totalClusters),
    corruptions: some(report.corruptions),
    'corruptions-fixed': some(report.corruptionsFixed),
    'check-errors': report.errors,
    leaks: some(report.leaks),
    'leaks-fixed': some(report.leaksFixed),
    'allocated-clusters': some(report.allocatedClusters),
    filename: path,
    format,
    'fragmented-clusters': some(report.fragmentedClusters),
  }
}

/** `found` is what the first pass saw, with its findings; `report` what is left. */
function forPeople(found: CheckReport, report: CheckReport): string {
  const lines = found.findings.map(oneLine)
  if (lines.length > 0) lines.push('')
  if (report.corruptionsFixed + report.leaksFixed > 0) {
    lines.push(`Repaired: ${report.corruptionsFixed} corruption(s), ${report.leaksFixed} leaked cluster(s).`)
  }
  if (report.corruptions > 0) {
    lines.push(
      `${report.corruptions} error(s) were found on the image: its data may be wrong, and writing to it may make it worse.`,
    )
  }
  if (report.leaks > 0)
    lines.push(`${report.leaks} leaked cluster(s) were found on the image: they waste space and do no harm.`)
  if (report.corruptions + report.leaks + report.errors === 0)
    lines.push('No errors were found on the image.')
  if (report.totalClusters > 0 && report.allocatedClusters > 0) lines.push(usage(report))
  return lines.map(line => `${line}\n`).join('')
}

function usage({ allocatedClusters, totalClusters, fragmentedClusters }: CheckReport): string {
  const allocated = ((allocatedClusters * 100) / totalClusters).toFixed(2)
  const fragmented = ((fragmentedClusters * 100) / allocatedClusters).toFixed(2)
  return `${allocatedClusters}/${totalClusters} = ${allocated}% allocated, ${fragmented}% fragmented clusters`
}
