#!/usr/bin/env bash
# Sets everything up and runs the tests: npm test [-- [--long] [--tap] [FILE | DIRECTORY | TITLE | AVA-OPTION]...]
#
#   npm test                                   all of them
#   npm test -- test/mount                     those in a directory
#   npm test -- test/mount/filesystems.test.ts those in a file
#   npm test -- 'xfs'                          those with a word in their title
#   npm run test:long                          random tests search for RAWMOUNT_TEST_SECONDS each (default 300)
#
# Tests put all they make below one temporary directory, and every process inherits its name: afterwards nothing
# may be left that has to do with it: no mount, no loop device, no process, no file. What is left is named and
# fails the run.

set -euo pipefail
source "$(dirname "$0")/setup.sh"
source scripts/guest.sh
source scripts/node.sh
source scripts/clean-root.sh

TOOLS=(
  qemu-img qemu-io qemu-storage-daemon fusermount3 libfuse.so.2 fio mkfs.xfs xfs_repair mkfs.ext4 e2fsck sfdisk
  sgdisk partx fstrim fallocate
  mount umount losetup findmnt setpriv unshare systemd-analyze xz nginx openssl bash zsh fish script groff mandoc
  qemu-system-x86_64 syslinux /usr/lib/syslinux/mbr/mbr.bin mformat mcopy chromium
)

# Fills `arguments` with what AVA understands.
read_arguments() {
  arguments=()
  local given
  for given in "$@"; do
    case $given in
      --long) export RAWMOUNT_TEST_SECONDS=${RAWMOUNT_TEST_SECONDS:-300} ;;
      -*) arguments+=("$given") ;;
      *.test.ts) arguments+=("dist/${given%.ts}.js") ;;
      *.test.js) arguments+=("$given") ;;
      *) if [ -d "$given" ]; then arguments+=("dist/${given%/}/**/*.test.js"); else arguments+=(--match "*$given*"); fi ;;
    esac
  done
}

# One line for each thing that has to do with the directory of this run.
leftovers() {
  awk -v under="$TMPDIR/" 'index($2, under) == 1 { print "mount: " $3 " on " $2 }' /proc/self/mounts
  if command -v losetup > /dev/null; then
    losetup --list --noheadings --raw --output NAME,BACK-FILE 2> /dev/null |
      awk -v under="$TMPDIR/" 'index($0, under) { print "loop device: " $0 }'
  fi
  local environment pid
  for environment in /proc/[0-9]*/environ; do
    pid=${environment#/proc/}
    pid=${pid%/environ}
    if grep -qzxF "TMPDIR=$TMPDIR" "$environment" 2> /dev/null && [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ]; then
      # A process of this very script is none that a test left.
      [ "$(ps_parent "$pid")" = "$$" ] || echo "process $pid: $(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null)"
    fi
  done
  find "$TMPDIR" -xdev -mindepth 1 -maxdepth 1 -printf 'file: %p\n'
}

ps_parent() {
  sed -n 's/^PPid:\t//p' "/proc/$1/status" 2> /dev/null || true
}

# Ends and removes what leftovers() names; quiet, as all of it has been told or the run was interrupted.
sweep() {
  local left pid mountpoint
  left=$(leftovers)
  for pid in $(sed -n 's/^process \([0-9]*\):.*/\1/p' <<< "$left"); do kill -KILL "$pid" 2> /dev/null || true; done
  sed -n 's/^mount: [^ ]* on //p' <<< "$left" | tac | while read -r mountpoint; do umount -l "$mountpoint" || true; done
  for loop in $(sed -n 's/^loop device: \([^ ]*\).*/\1/p' <<< "$left"); do losetup -d "$loop" || true; done
  rm -rf --one-file-system "$TMPDIR"
}

require_node
install_tools "${TOOLS[@]}" || say 'Going on without; tests that need them are skipped, or fail where CI is set.'
if is_root; then
  require_fuse
  prepare_guest || say 'Going on without a virtual machine; tests that boot are skipped, or fail where CI is set.'
  prepare_clean_root || say 'Going on without a bare system; the tests of the package there are skipped, or fail where CI is set.'
else
  say 'Not root: tests that mount or need loop devices are skipped. To run all of them: sudo npm test'
fi
install_node_modules
build
read_arguments "$@"

export PATH=$PATH:/usr/sbin:/sbin
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/rawmount-test.XXXXXX")
export TMPDIR
# From version 22 on, tools that ask for it leave compiled code there.
export NODE_DISABLE_COMPILE_CACHE=1
# Some tests mount as another user, who must get through.
chmod 711 "$TMPDIR"
trap sweep EXIT

status=0
npx ava "${arguments[@]}" < /dev/null || status=$?

left=$(leftovers)
if [ -n "$left" ]; then
  say 'The tests left behind:'
  say "$left"
  status=1
fi
exit "$status"
