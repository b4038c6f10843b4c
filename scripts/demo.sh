#!/usr/bin/env bash
# Shows rawmount at work, from nothing: npm run demo, as root on a Debian or Ubuntu with Node and git.
#
# Makes a QED image, mounts it, partitions the disk in it, puts files into a file system there, takes it all down,
# looks at the image, and finds the files again through a second mount. All of it in a directory that is removed.

set -euo pipefail
source "$(dirname "$0")/setup.sh"

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

# What happens next, and why.
tell() {
  printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Shows a command as one would type it, and runs it.
show() {
  printf '%s  $ %s%s\n' "$dim" "$*" "$plain"
  "$@" 2>&1 | sed 's/^/    /'
}

rawmount() {
  node "$program" "$@"
}

clean_up() {
  local status=$?
  set +e
  trap - EXIT
  mountpoint -q "$work/files" && umount "$work/files"
  mountpoint -q "$work/vm" && rawmount umount "$work/vm"
  cd /
  rm -rf --one-file-system "$work"
  [ "$status" = 0 ] || say "The demo stopped early, with code $status; everything it made is removed."
  exit "$status"
}

is_root || fail 'The demo mounts and uses loop devices, which needs root: sudo npm run demo'
require_node
install_tools sfdisk mkfs.ext4 losetup mount umount findmnt || exit 1
require_fuse
export PATH=$PATH:/usr/sbin:/sbin
install_node_modules
build

program=$PWD/dist/bin/rawmount.js
source_files=$PWD/src
work=$(mktemp -d "${TMPDIR:-/tmp}/rawmount-demo.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT TERM
cd "$work"
mkdir vm files

tell 'A virtual machine has a disk of 1 GiB, kept in an image. An empty image is small:'
show rawmount create -f qed vm.qed 1G
show ls -lh vm.qed

tell 'Mounted, the image shows the whole disk as one raw file:'
show rawmount mount vm.qed vm
show ls -lh vm
show findmnt --noheadings --raw --output SOURCE,FSTYPE vm

tell 'Any tool for disks works on that file. A partition table:'
printf '%s  $ sfdisk vm/disk.raw <<< "label: gpt; size=512MiB, type=linux"%s\n' "$dim" "$plain"
printf 'label: gpt\nsize=512MiB, type=linux\n' | sfdisk --quiet vm/disk.raw
show sfdisk --list vm/disk.raw

tell 'The partition is a file of its own at once. A file system in it:'
show ls -lh vm
show mkfs.ext4 -q vm/p1.raw
show mount -o loop vm/p1.raw files

tell 'Files go in:'
show cp -r "$source_files" files/
(cd files && find src -type f -exec sha256sum {} +) > "$work/checksums"
show du -sh files/src

tell 'Everything is taken down. When umount returns, the image is complete, closed and clean:'
show umount files
show rawmount umount vm

tell 'The image has grown by what was written, and is sound:'
show ls -lsh vm.qed
show rawmount info vm.qed
show rawmount check vm.qed
if have qemu-img; then
  tell 'QEMU thinks so too:'
  show qemu-img check vm.qed
fi

tell 'Another day, read-only this time: the files are all there.'
show rawmount mount -r vm.qed vm
show mount -o loop,ro vm/p1.raw files
(cd files && sha256sum --check --quiet "$work/checksums")
printf '    %s files, every checksum as it was\n' "$(wc -l < "$work/checksums")"
show umount files
show rawmount umount vm

tell "That's it. Everything the demo made is removed; 'node dist/bin/rawmount.js --help' is the way on."
