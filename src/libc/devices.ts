import { declare } from './library.js'

/** `argument` is the address of what the command reads or fills in. @see man 2 ioctl */
export const ioctl = declare('int ioctl(int fd, unsigned long command, intptr_t argument)')
