import test, { type ExecutionContext } from 'ava'
import { scratch, TRANSPORTS } from '../support/mounting.js'
import { linesInNamespace, NAMESPACE_NEEDS, USER } from '../support/namespace.js'
import { needsCheck } from '../support/need-check.js'
import { lacks } from '../support/tools.js'

/** A user's mounts `one` and `two`, of images in `images`, with written data that nobody has flushed. */
const MOUNTED = `
  mkdir images one two
  mv "$WORK/one.qed" "$WORK/two.qed" images
  chown -R ${USER}:${USER} images one two
  mount_both() {
    for name in one two; do
      as_user rawmount mount $OPTIONS images/$name.qed $name
      head -c 1000000 /dev/urandom | as_user dd of=$name/disk.raw bs=64k conv=notrunc status=none
    done
  }
  closed() {
    daemons
    for name in one two; do rawmount check images/$name.qed > /dev/null && echo clean; done
  }
`

/** What the script says, with the room taken out of paths. */
async function lines(t: ExecutionContext, script: string, options = ''): Promise<string[]> {
  const work = await scratch(t)
  for (const name of ['one', 'two']) await work.create(`${name}.qed`, '4M')
  const said = await linesInNamespace(
    work,
    `OPTIONS="${options}"\n${MOUNTED}\n${script}\nmv images/*.qed "$WORK"`,
  )
  for (const name of ['one', 'two']) t.false(await needsCheck(work.join(`${name}.qed`)))
  return said.map(line => line.replaceAll(`${work.path}/room/`, ''))
}

for (const transport of TRANSPORTS) {
  const needs = transport === 'libfuse' ? ['libfuse.so.2', 'fusermount'] : []
  test(`${transport}: root unmounts what is another user's, and waits until it is closed`, async t => {
    if (lacks(t, ...NAMESPACE_NEEDS, ...needs)) return
    const closed = ['0', 'clean', 'clean']
    const said = await lines(
      t,
      `mount_both; rawmount umount one; rawmount umount two; closed
       mount_both; umount one; umount two; closed
       mount_both; umount -a -t fuse.rawmount; closed`,
      `--transport ${transport}`,
    )
    t.deepEqual(said, [...closed, ...closed, ...closed])
  })
}

test('a user who is not root is refused another user’s mount, in one line about unmounting', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const said = await lines(
    t,
    `mount_both
     code as_other rawmount umount one
     rawmount umount one
     rawmount umount two`,
  )
  t.deepEqual(said, ["rawmount: one: is another user's mount; let that user or root unmount it", 'code 1'])
})

test('root is told who holds another user’s mount, and when its process could not be waited for', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const said = await lines(
    t,
    `mount_both
     setpriv --reuid ${USER} --regid ${USER} --clear-groups sh -c 'exec sleep 60 < one/disk.raw' & holder=$!
     until [ "$(readlink /proc/$holder/fd/0)" = "$PWD/one/disk.raw" ]; do sleep 0.02; done
     code rawmount umount one 2>&1 | sed "s/ $holder / HOLDER /"
     kill $holder
     wait || true
     # Processes from outside are not to be seen there.
     unshare --pid --fork sh -c 'mount -t proc proc /proc; rawmount umount one; umount /proc'
     rawmount umount two
     until [ "$(daemons)" = 0 ]; do sleep 0.02; done`,
  )
  t.deepEqual(said, [
    'rawmount: one: is in use by process HOLDER (sleep); end that first',
    'code 1',
    'rawmount: warning: one: is unmounted, but its process was not found: the image may be open for a moment still',
  ])
})
