import { command } from '../arguments/command.js'
import { choice, flag } from '../arguments/options.js'

export const status = command({
  name: 'status',
  summary: 'show what a mount is doing',
  description: [
    'Looks at the mount on MOUNTPOINT for a second, and shows what it serves, how fast, and how far the image is filled from its base. The same is in .rawmount/status.json below MOUNTPOINT, but for the rates.',
  ],
  operands: [{ name: 'MOUNTPOINT' }],
  options: {
    watch: flag(
      'w,watch',
      'go on until Ctrl-C or the unmount; in place on a terminal, else a line each second',
    ),
    output: choice(
      'output',
      'HOW',
      ['human', 'json'],
      'human',
      'print for people, or a JSON object a line: status.json with the rates',
    ),
  },
  examples: [
    { line: 'rawmount status /mnt/vm', what: '' },
    { line: 'rawmount status --watch /mnt/vm', what: 'how it goes on' },
  ],
  exitCodes: [
    [0, 'shown; with --watch: the mount was unmounted'],
    [1, 'it could not be shown; one line on stderr says why'],
    [130, 'ended by Ctrl-C'],
  ],
})
