import { isStale } from '../../fuse/mountpoint.js'

/** Says whether the mount that it is told of is stale. Hangs when the mount does. */
process.once('message', async mountpoint => {
  const say = (what: boolean | 'ready') => new Promise(resolve => process.send!(what, resolve))
  await say('ready')
  await say(isStale(mountpoint as string))
  process.disconnect()
})
