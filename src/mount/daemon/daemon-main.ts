/** The daemon's program. From the first line on, SIGUSR1 is no longer for Node.js; imports of other modules would come first. */
import './status-signal.js'

await import('./daemon-program.js')
