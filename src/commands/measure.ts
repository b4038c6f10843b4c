import { openImage } from '../disk/open.js'
import type { Measured } from '../formats/format.js'
import { measureImage } from '../transfer/measure.js'
import type { Given } from './arguments/command.js'
import { formatOptions } from './arguments/format-options.js'
import { usageError } from './arguments/parse.js'
import { print, printJson } from './display/output.js'
import { warn } from './display/report.js'
import { measure } from './table/measure.js'

type Values = Given<typeof measure>['values']

export async function run({ values, operands }: Given<typeof measure>): Promise<number> {
  const { required, fullyAllocated } = measured(values, operands[0] ?? null)
  if (values.output === 'json') await printJson({ required, 'fully-allocated': fullyAllocated })
  else await print(`required size: ${required}\nfully allocated size: ${fullyAllocated}\n`)
  return 0
}

function measured({ targetFormat, options, size, ...values }: Values, path: string | null): Measured {
  const target = { format: targetFormat, options: formatOptions(measure, options) }
  if (path === null) {
    if (size === null) throw usageError(measure, 'name an image, or say --size')
    return measureImage(size, target)
  }
  if (size !== null) throw usageError(measure, 'name an image, or say --size, but not both')
  const { format, backing, allowDevices, forceShare } = values
  const image = openImage(path, { format, backing, allowDevices, forceShare })
  try {
    for (const warning of image.warnings) warn(warning)
    return measureImage(image, target)
  } finally {
    image.close()
  }
}
