import { inspectImage } from '../disk/inspect.js'
import { type ChainMember, openImage } from '../disk/open.js'
import { hideCredentials } from '../storage/http/url.js'
import { backingPath } from './arguments/backing-path.js'
import type { Given } from './arguments/command.js'
import { humanSize, humanSizeWithBytes } from './display/human-size.js'
import { print, printJson } from './display/output.js'
import { oneLine, warn } from './display/report.js'
import type { info } from './table/info.js'

/** One image: what the chain knows, and its name as it is reached from the name that the user gave. */
interface Shown extends ChainMember {
  readonly name: string
  readonly fullBackingName: string | null
}

export async function run({ values, operands }: Given<typeof info>): Promise<number> {
  const [path = ''] = operands
  const chain = withNames(path, values.backingChain ? readChain(path, values) : [inspectImage(path, values)])
  if (values.output === 'human') await print(chain.map(forPeople).join('\n'))
  else await printJson(values.backingChain ? chain.map(forPrograms) : forPrograms(chain[0]!))
  return 0
}

function readChain(
  path: string,
  { format, backing, allowDevices, forceShare }: Given<typeof info>['values'],
): readonly ChainMember[] {
  const image = openImage(path, { format, backing, allowDevices, forceShare })
  for (const warning of image.warnings) warn(warning)
  image.close()
  return image.chain
}

function withNames(path: string, chain: readonly ChainMember[]): Shown[] {
  let name = hideCredentials(path)
  return chain.map(member => {
    const backingName = member.backingName && hideCredentials(member.backingName)
    const fullBackingName = backingName === null ? null : backingPath(name, backingName)
    const shown = { ...member, name, backingName, fullBackingName }
    name = fullBackingName ?? name
    return shown
  })
}

/** The keys of QEMU's ImageInfo, and in "format-specific" what only the format has. */
function forPrograms(image: Shown): Record<string, unknown> {
  const { info } = image
  return {
    'virtual-size': image.size,
    filename: image.name,
    'cluster-size': info.clusterSize,
    format: image.format,
    'actual-size': image.allocated,
    'format-specific':
      Object.keys(info.specific).length === 0 ? undefined : { type: image.format, data: info.specific },
    'backing-filename-format': image.backingFormat ?? undefined,
    'full-backing-filename': image.fullBackingName ?? undefined,
    'backing-filename': image.backingName ?? undefined,
    'dirty-flag': info.dirty,
  }
}

function forPeople(image: Shown): string {
  const { info } = image
  const lines = [
    ['image', image.name],
    ['file format', image.format],
    ['virtual size', humanSizeWithBytes(image.size)],
    ['disk size', humanSize(image.allocated)],
  ]
  if (info.dirty) lines.push(['cleanly shut down', 'no'])
  if (info.clusterSize !== undefined) lines.push(['cluster_size', String(info.clusterSize)])
  if (image.backingName !== null) lines.push(['backing file', backingForPeople(image)])
  if (image.backingFormat !== null) lines.push(['backing file format', image.backingFormat])
  if (Object.keys(info.specific).length > 0) lines.push(['Format specific information', ''])
  for (const [key, value] of Object.entries(info.specific)) {
    lines.push([
      `    ${key.replaceAll('-', ' ')}`,
      Array.isArray(value) ? value.join(', ') || 'none' : String(value),
    ])
  }
  // "Format specific information:" has no value of its own.
  return lines.map(([key, value]) => `${`${key}: ${oneLine(value!)}`.trimEnd()}\n`).join('')
}

function backingForPeople({ backingName, fullBackingName }: Shown): string {
  return fullBackingName === backingName ? backingName! : `${backingName} (actual path: ${fullBackingName})`
}
