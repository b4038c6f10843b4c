#!/usr/bin/env bash
# Mounts the file system in a partition of an image.
#
#   sudo examples/loop-mount-partition.sh                  on an image made for the purpose
#   sudo examples/loop-mount-partition.sh vm.qed [NUMBER]  lists the files of a partition (1), read-only
source "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || die 'loop devices need root: run it with sudo'
need sfdisk mkfs.ext4 fsck.ext4

mkdir "$work/image" "$work/files"

if [ $# -gt 0 ]; then
  rawmount mount -r "$1" "$work/image"
  later rawmount umount "$work/image"
  partition=$work/image/p${2:-1}.raw
  [ -e "$partition" ] || die "$1 has no partition ${2:-1}"
  mount -o loop,ro "$partition" "$work/files"
  later umount "$work/files"
  ls -la "$work/files"
  exit
fi

rawmount create -f qed "$work/vm.qed" 1G
rawmount mount "$work/vm.qed" "$work/image"
later rawmount umount "$work/image"

# One Linux partition from 1 MiB to the end; it is a file of its own at once.
echo 'start=2048, type=83' | sfdisk --quiet "$work/image/disk.raw"
mkfs.ext4 -q "$work/image/p1.raw"
mount -o loop "$work/image/p1.raw" "$work/files"
cp "$here"/*.sh "$work/files"
ls -la "$work/files"
umount "$work/files"
fsck.ext4 -f -n "$work/image/p1.raw"

# What the image takes on the host: what was written, not 1 GiB.
sync -f "$work/image/disk.raw"
rawmount info --force-share "$work/vm.qed"
