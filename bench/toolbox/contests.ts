import { join } from 'node:path'
import { RAWMOUNT } from '../program.js'

/** Who does the work. */
export type ToolId = 'rawmount' | 'qemu-img'
export const TOOL_IDS = ['rawmount', 'qemu-img'] as const

export type ContestId =
  | 'convert-raw-qed'
  | 'convert-qed-raw'
  | 'convert-qcow2-raw'
  | 'convert-qcow2-fvd'
  | 'compare-raw-raw'
  | 'compare-qed-raw'

/** One piece of work that both do; a file that does not exist is the target. */
export interface Contest {
  readonly id: ContestId
  readonly title: string
  /** What `qemu-img` does for FVD, which it does not know, is the same to qcow2. */
  command(tool: ToolId, files: Files): readonly [string, ...string[]]
  /** Makes a file, whose contents are verified and which must be durable in the measured time. */
  readonly makes: boolean
}

/** The images of one half-empty disk, by their formats; the names of targets are new ones. */
export interface Files {
  readonly directory: string
  readonly target: string
}

/** Of the disk, which all files have. */
export function file({ directory }: Files, format: string): string {
  return join(directory, `half.${format}`)
}

function convert(id: ContestId, from: string, to: string): Contest {
  return {
    id,
    title: `convert ${from} to ${to}`,
    makes: true,
    command(tool, files) {
      const [source, { target }] = [file(files, from), files]
      if (tool === 'rawmount') {
        const options = to === 'fvd' ? ['-o', 'compact_image=on'] : []
        return [process.execPath, RAWMOUNT, 'convert', '-q', '-f', from, '-O', to, ...options, source, target]
      }
      // By its default it does not even ask for the data to be written.
      return [
        'qemu-img',
        'convert',
        '-t',
        'writeback',
        '-f',
        from,
        '-O',
        to === 'fvd' ? 'qcow2' : to,
        source,
        target,
      ]
    },
  }
}

function compare(id: ContestId, one: string, other: string): Contest {
  return {
    id,
    title: `compare ${one} with ${other}`,
    makes: false,
    command(tool, files) {
      const images = ['-f', one, '-F', other, file(files, one), file(files, `copy.${other}`)]
      if (tool === 'rawmount') return [process.execPath, RAWMOUNT, 'compare', '-q', ...images]
      return ['qemu-img', 'compare', '-q', ...images]
    },
  }
}

export const CONTESTS: readonly Contest[] = [
  convert('convert-raw-qed', 'raw', 'qed'),
  convert('convert-qed-raw', 'qed', 'raw'),
  convert('convert-qcow2-raw', 'qcow2', 'raw'),
  convert('convert-qcow2-fvd', 'qcow2', 'fvd'),
  compare('compare-raw-raw', 'raw', 'raw'),
  compare('compare-qed-raw', 'qed', 'raw'),
]

/** For --only and --list: on the machine's disk, in memory, and a hundred images in one mount. */
export const TOOLBOX_NAMES = ['toolbox-disk', 'toolbox-memory', 'toolbox-many'] as const
