import test from 'ava'
import type { Disk } from '../../src/disk/disk.js'
import type { Extent } from '../../src/disk/extents.js'
import { Comparer } from '../../src/transfer/comparer.js'
import { Course } from '../../src/transfer/course.js'

/** A disk of data, of which what is told fails. */
function disk(failing: 'mapping' | 'reading' | null): Disk {
  return {
    size: 4096,
    nextExtent(_offset: number, length: number, out: Extent) {
      if (failing === 'mapping') throw new Error('no map')
      Object.assign(out, { length, data: true, hole: false, fileOffset: 0, path: '' })
    },
    read() {
      if (failing === 'reading') throw new Error('no data')
    },
  } as unknown as Disk
}

for (const phase of ['mapping', 'reading'] as const) {
  test(`a failure of ${phase} is told as that, whichever disk it is of`, t => {
    for (const [one, other] of [
      [disk(phase), disk(null)],
      [disk(null), disk(phase)],
    ] as const) {
      const course = new Course(Course.allocate(4096))
      const files = new Map<string, string>()
      const comparer = new Comparer(course, { disk: one, files }, { disk: other, files })
      t.throws(() => comparer.step(), { message: /^no / })
      t.is(comparer.phase, phase)
    }
  })
}
