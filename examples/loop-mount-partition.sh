#!/usr/bin/env bash
# Opens a partition of an image as a block device and mounts the file system in it.
#
#   sudo examples/loop-mount-partition.sh                  on an image made for the purpose
#   sudo examples/loop-mount-partition.sh vm.qed [NUMBER]  lists the files of a partition (1), read-only
source "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || die 'loop devices need root: run it with sudo'
need losetup partx sfdisk mkfs.ext4 fsck.ext4

# Prints the loop device of partition NUMBER in FILE. By its offset, as not every kernel reads the partition table of
# a loop device (losetup -P).
attach_partition() {
  local start sectors
  read -r start sectors < <(partx --raw --noheadings --output START,SECTORS --nr "$2" "$1") ||
    die "$1 has no partition $2"
  losetup --find --show --offset $((start * 512)) --sizelimit $((sectors * 512)) "${@:3}" "$1"
}

mkdir "$work/image" "$work/files"

if [ $# -gt 0 ]; then
  rawmount mount -r "$1" "$work/image"
  later rawmount umount "$work/image"
  device=$(attach_partition "$work/image/disk.raw" "${2:-1}" --read-only)
  later losetup --detach "$device"
  mount -o ro "$device" "$work/files"
  later umount "$work/files"
  ls -la "$work/files"
  exit
fi

rawmount create -f qed "$work/vm.qed" 1G
rawmount mount "$work/vm.qed" "$work/image"
later rawmount umount "$work/image"

# One Linux partition from 1 MiB to the end.
echo 'start=2048, type=83' | sfdisk --quiet "$work/image/disk.raw"
device=$(attach_partition "$work/image/disk.raw" 1)
later losetup --detach "$device"
mkfs.ext4 -q "$device"
mount "$device" "$work/files"
cp "$here"/*.sh "$work/files"
ls -la "$work/files"
umount "$work/files"
fsck.ext4 -f -n "$device"

# What the image takes on the host: what was written, not 1 GiB.
sync -f "$work/image/disk.raw"
rawmount info --force-share "$work/vm.qed"
