import { CopyEngine } from '../copy/engine.js'
import { TRYING_AGAIN } from '../copy/prefetch-progress.js'
import { inspectImage } from '../disk/inspect.js'
import { type OpenImage, type OpenImageOptions, openImage } from '../disk/open.js'
import { CommitTimer } from '../mount/images/commit-timer.js'
import { hideCredentials } from '../storage/http/url.js'
import type { Given } from './arguments/command.js'
import { print, setUnfinished } from './display/output.js'
import { displayFor, type PrefetchDisplay } from './display/prefetch-display.js'
import { type Course, forPeople, forPrograms } from './display/prefetch-report.js'
import { oneLine, warn } from './display/report.js'
import { exitCodeOf, type Interruption, Interrupts } from './interruption.js'
import type { prefetch } from './table/prefetch.js'

type Values = Given<typeof prefetch>['values']

/** Seconds of work that a crash costs at most. */
const COMMIT_INTERVAL = 5

/** Milliseconds between two looks at how it goes. */
const LOOK = 250

export async function run({ values, operands }: Given<typeof prefetch>): Promise<number> {
  const [path = ''] = operands
  // What needs no base needs no change either, so it may be an image that cannot be changed.
  const { backingName } = inspectImage(path, values)
  if (backingName === null) return nothingToDo(path, values)
  const image = openImage(path, openOptions(values))
  for (const warning of image.warnings) warn(warning)
  const { course, signal } = await fetchAll(path, hideCredentials(backingName), image, values)
  if (values.output === 'json') await print(`${JSON.stringify(forPrograms(course))}\n`)
  if (course.state === 'done') {
    if (values.output === 'human' && !values.quiet) await print(`${oneLine(forPeople(course))}\n`)
    return 0
  }
  process.stderr.write(`rawmount: ${oneLine(forPeople(course))}\n`)
  return signal === null ? 1 : exitCodeOf(signal)
}

async function nothingToDo(path: string, { output, quiet }: Values): Promise<number> {
  if (output === 'json') await print(`${JSON.stringify(forPrograms({ ...NO_BASE, image: path }))}\n`)
  else if (!quiet) await print(`${oneLine(path)}: needs no base: there is nothing to fetch\n`)
  return 0
}

const NO_BASE: Course = {
  image: '',
  base: '',
  state: 'done',
  reason: null,
  copying: null,
  seconds: 0,
  rate: 0,
  secondsLeft: 0,
  independent: true,
  isCache: false,
  closed: true,
}

function openOptions({ format, backing, allowDevices, rate, detach }: Values): OpenImageOptions {
  return {
    writable: true,
    format,
    backing,
    allowDevices,
    copying: {
      copyOnRead: 'off',
      prefetch: 'on',
      prefetchRate: rate ?? Number.POSITIVE_INFINITY,
      detach,
      recordProfile: false,
      prefetchProfile: 'off',
      // An image that is the cache of its base must not forget it.
      writeBase: 'image',
      steady: true,
    },
  }
}

interface Ended {
  readonly course: Course
  /** What ended it; null: nothing did. */
  readonly signal: Interruption | null
}

/** Fetches until all is there, the base fails for good, or the user ends it; closes the image. */
async function fetchAll(path: string, base: string, image: OpenImage, values: Values): Promise<Ended> {
  const interrupts = new Interrupts()
  const display = displayFor(path, base, values)
  // A commit that fails is told at the end, where the last one says how it stands.
  const commits = new CommitTimer(image.disk, COMMIT_INTERVAL, () => {})
  const engine = CopyEngine.for(image)!
  engine.start()
  setUnfinished(true)
  const end = await untilItEnds(engine, display, interrupts).finally(() => {
    commits.stop()
    display.clear()
  })
  if (end.state === 'died') {
    // It may have held a lock that closing would wait for. What was committed is there.
    image.drop()
    throw end.error
  }
  await engine.stop()
  const copying = engine.status()
  const unclean = close(image)
  interrupts.stop()
  // After a failure that is no news: a full disk is full for this, too.
  if (unclean !== null && end.state !== 'failed') throw unclean
  const { settings, detaches } = image.copying!
  const { state, reason, signal } = end
  setUnfinished(state !== 'done')
  const isCache = settings.writeBase !== 'no'
  const independent = state === 'done' && detaches && !isCache
  const closed = unclean === null
  return { course: display.course({ state, reason, copying, independent, isCache, closed }), signal }
}

async function untilItEnds(engine: CopyEngine, display: PrefetchDisplay, interrupts: Interrupts) {
  let looks: NodeJS.Timeout | undefined
  const paused = new Promise<string>(resolve => {
    looks = setInterval(() => {
      const status = engine.status()
      display.show(status)
      const { state, reason } = status.prefetch
      // Without a least rate, only what fails pauses.
      if (state === 'paused') resolve((reason ?? '').replace(TRYING_AGAIN, ''))
    }, LOOK)
  })
  return Promise.race([
    engine.finished.then(() => ({ state: 'done', reason: null, signal: null }) as const),
    paused.then(reason => ({ state: 'failed', reason, signal: null }) as const),
    interrupts.arrived.then(signal => ({ state: 'stopped', reason: signal, signal }) as const),
    engine.died.then(error => ({ state: 'died', error }) as const),
  ]).finally(() => clearInterval(looks))
}

/** What was not made durable, if anything. */
function close(image: OpenImage): Error | null {
  try {
    image.close()
    return null
  } catch (error) {
    return error as Error
  }
}
