import test from 'ava'
import { NEEDS, scratch, TRANSPORTS } from '../support/mounting.js'
import { linesInNamespace, NAMESPACE_NEEDS, OTHER, USER } from '../support/namespace.js'
import { lacks } from '../support/tools.js'

/** Who gets at the disk: allow_other, uid, gid, umask. */

const LOOK = `
# What a user can do with the disk: r, w, both or nothing.
may() {
  local can=
  "$@" head -c 1 mnt/disk.raw > read 2> /dev/null && [ -s read ] && can=r
  "$@" dd if=/dev/zero of=mnt/disk.raw bs=1 count=1 conv=notrunc status=none 2> /dev/null && can+=w
  echo "\${can:-nothing}"
}
facts() { stat --format '%u:%g %a' mnt mnt/disk.raw mnt/.rawmount/status.json | paste -sd' '; }
mkdir mnt
touch read
chmod 777 read
`

for (const transport of TRANSPORTS) {
  test(`${transport}: a mount is its user's alone, until allow_other lets others in as far as uid, gid and umask go`, async t => {
    if (lacks(t, ...NAMESPACE_NEEDS, ...NEEDS[transport])) return
    const work = await scratch(t)
    await work.create('a.qed', '1M')
    const lines = await linesInNamespace(
      work,
      `${LOOK}
      mounted() { rawmount mount --transport ${transport} "$@" "$WORK/a.qed" mnt; }
      mounted --umask 000
      facts; may as_user; may as_other
      rawmount umount mnt
      mounted --allow-other
      facts; may as_user; may as_other
      rawmount umount mnt
      mounted -o allow_other,uid=${OTHER},gid=${USER},umask=027
      facts; may as_user; may as_other
      rawmount umount mnt
      mounted -r -o allow_other,umask=022
      facts; may as_user; may as_other; may
      rawmount umount mnt`,
    )
    t.deepEqual(lines, [
      '0:0 777 0:0 666 0:0 444',
      'nothing',
      'nothing',
      '0:0 700 0:0 600 0:0 400',
      'nothing',
      'nothing',
      `${OTHER}:${USER} 750 ${OTHER}:${USER} 640 ${OTHER}:${USER} 440`,
      'r',
      'rw',
      '0:0 555 0:0 444 0:0 444',
      'r',
      'r',
      'r',
    ])
  })
}

test('a user without rights lets others in when /etc/fuse.conf says so, and is told of that file when not', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await scratch(t)
  await work.create('a.qed', '1M')
  const lines = await linesInNamespace(
    work,
    `${LOOK}
    mkdir images
    mv "$WORK/a.qed" images
    chown -R ${USER}:${USER} images mnt
    mounted() { as_user rawmount mount "$@" images/a.qed mnt; }
    touch etc/fuse.conf
    mount --bind etc/fuse.conf /etc/fuse.conf
    code mounted --allow-other
    code findmnt mnt
    echo user_allow_other > etc/fuse.conf
    mounted -o allow_other,umask=022
    facts; may as_user; may as_other
    as_user rawmount umount mnt
    mounted
    may as_user; may as_other; may
    rawmount list | grep "$PWD" | sed 's/  */ /g; s/[0-9]*$/PID/'
    as_user rawmount list | grep "$PWD" | sed 's/  */ /g; s/[0-9]*$/PID/'
    as_user rawmount umount mnt`,
  )
  const [refusal, ...rest] = lines
  t.true(
    refusal!.endsWith(
      "/room/mnt: fusermount3 refused: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf: add a line 'user_allow_other' to /etc/fuse.conf, or leave allow_other out",
    ),
    refusal,
  )
  const room = work.join('room')
  t.deepEqual(rest, [
    'code 1',
    'code 1',
    `${USER}:${USER} 755 ${USER}:${USER} 644 ${USER}:${USER} 444`,
    'rw',
    'r',
    'rw',
    'nothing',
    'nothing',
    `${room}/mnt ${room}/images/a.qed rw private PID`,
    `${room}/mnt ${room}/images/a.qed rw serving PID`,
  ])
})

test('what may not be read or reached is not advised to be mounted with -r, what may is', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await scratch(t)
  await work.create('a.qed', '1M')
  const lines = await linesInNamespace(
    work,
    `mkdir -m 777 mnt
     mkdir -m 700 closed
     cp "$WORK/a.qed" readable; chmod 644 readable
     cp "$WORK/a.qed" private; chmod 600 private
     cp "$WORK/a.qed" closed/a; chmod 666 closed/a
     for image in readable private closed/a; do code as_user rawmount mount $image mnt; done
     as_user rawmount mount -r readable mnt
     as_user rawmount umount mnt`,
  )
  const room = work.join('room')
  const denied = 'cannot be opened: permission denied; run as a user who may'
  t.deepEqual(lines, [
    `rawmount: ${room}/readable: ${denied}, or mount with -r`,
    'code 1',
    `rawmount: ${room}/private: ${denied}`,
    'code 1',
    `rawmount: ${room}/closed/a: ${denied}`,
    'code 1',
  ])
})

test('an owner who is not let in is warned of', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await scratch(t)
  await work.create('a.qed', '1M')
  const mountpoint = await work.directory('mnt')
  const { code, stderr } = await work.rawmount('mount', '-o', `uid=${OTHER}`, work.join('a.qed'), mountpoint)
  t.is(code, 0)
  t.is(stderr, `rawmount: warning: user ${OTHER} owns the disk, but is not let in: add --allow-other\n`)
  await work.rawmounts('umount', mountpoint)
})
