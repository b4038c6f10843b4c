import { command } from '../arguments/command.js'
import { integer } from '../arguments/options.js'

export const dashboard = command({
  name: 'dashboard',
  summary: 'show a mount in the browser',
  description: [
    'Serves a page that shows the mount on MOUNTPOINT: the disk as a map that fills while it is prefetched, throughput and latency, the chain of images. Prints the address of the page, to be opened in a browser on this machine, and goes on until Ctrl-C or the unmount.',
    'The page can only be looked at. Its address has a secret in it, and other machines cannot reach it; from elsewhere use `ssh -L`, with the same port on both sides.',
  ],
  operands: [{ name: 'MOUNTPOINT' }],
  options: {
    port: integer(
      'port',
      'PORT',
      { min: 1, max: 65535 },
      null,
      'the port on 127.0.0.1; one that is free when left out',
    ),
  },
  examples: [
    { line: 'rawmount dashboard /mnt/vm', what: '' },
    { line: 'rawmount dashboard --port 8080 /mnt/vm', what: 'for `ssh -L 8080:127.0.0.1:8080 host`' },
  ],
  exitCodes: [
    [0, 'ended by Ctrl-C, or the mount was unmounted'],
    [1, 'it could not be shown; one line on stderr says why'],
  ],
})
