import { command } from '../arguments/command.js'
import { flag } from '../arguments/options.js'
import { allowDevices, backing, format, noProgress, progress } from './shared.js'

export const commit = command({
  name: 'commit',
  summary: 'write what an image has into its backing file',
  description: [
    'Writes to the backing file of FILE all that FILE has of the disk, and then empties FILE, so that it goes on as an empty image on its base. The disk that both show together does not change, whenever it is interrupted: by Ctrl-C, a crash or a power cut. The same command goes on from there.',
    'A base that is smaller than the disk of FILE is made as large first; what an FVD image has behind the old end of the base stays in it, too, and is not emptied. Both must be closed. Other images on the same base, or with it as their data file, would show something else afterwards: when there are any beside it or beside FILE, it is refused; those in other directories are not looked for.',
  ],
  operands: [{ name: 'FILE' }],
  options: {
    format: format('the format of FILE; found by its magic when left out'),
    keep: flag('d,keep', 'leave FILE as it is: do not empty it'),
    force: flag('force', 'even when other images have the base, too; they may be useless then'),
    output: progress,
    backing,
    allowDevices,
    quiet: noProgress,
  },
  examples: [
    { line: 'rawmount commit vm.qed', what: 'its base has it now, and vm.qed is empty' },
    { line: 'rawmount commit -d vm.qed && rm vm.qed', what: 'when only the base is wanted' },
  ],
  exitCodes: [
    [0, 'the base has everything, durably'],
    [1, 'it could not be done or finished; the disk is as it was'],
    [130, 'ended by Ctrl-C (143: by SIGTERM); the disk is as it was'],
  ],
})
