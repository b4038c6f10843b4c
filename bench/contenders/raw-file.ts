import type { Contender } from './contender.js'

/**
 * The disk as a plain file: what there would be to gain if the image were raw and nothing between. Never with O_DIRECT,
 * which would measure the machine's disk, while the others serve from an image in the page cache.
 */
export const rawFile: Contender = {
  id: 'raw',
  format: 'raw',
  maker: 'qemu-img',
  grain: 0,
  direct: false,
  commandLine: 'the file itself, through the page cache',
  async serve(image) {
    return { path: image, pid: null, startTime: 0, stop: async () => {} }
  },
}
