import { command } from '../arguments/command.js'
import { flag } from '../arguments/options.js'
import { size } from '../arguments/size-option.js'
import { allowDevices, backing, format, noProgress, progress } from './shared.js'

export const prefetch = command({
  name: 'prefetch',
  summary: 'fetch all that an image still has in its base, offline',
  description: [
    'Copies into IMAGE what is still in its base, until it does not need it: what `mount --prefetch on` does beside a guest, but with nobody to give way to. A bar shows how far it is. Ctrl-C ends it cleanly, and the same command goes on from there; so it does after a crash.',
    'At the end an FVD image notes that it is independent; a QED image does with --detach, which takes the name of the base from its header.',
  ],
  operands: [{ name: 'IMAGE' }],
  options: {
    rate: size(
      'rate',
      'RATE',
      1024,
      null,
      'bytes a second that are fetched at most, such as 50M; default: no limit',
    ),
    detach: flag('detach', 'at the end, take the name of the base from the header of a QED image'),
    format: format('the format of IMAGE; found by its magic when left out'),
    output: progress,
    backing,
    allowDevices,
    quiet: noProgress,
  },
  examples: [
    { line: 'rawmount prefetch --rate 50M vm.fvd', what: 'and leave the network to others, too' },
    { line: 'rawmount prefetch --detach vm.qed', what: 'vm.qed needs no backing file any more' },
  ],
  exitCodes: [
    [0, 'nothing is left in the base'],
    [1, 'it could not be finished; what was fetched is kept'],
    [130, 'ended by Ctrl-C (143: by SIGTERM); what was fetched is kept'],
  ],
})
