#!/usr/bin/env bash
# Copies disks into an image and out of it with dd, as if the image was a raw file.
#
#   sudo examples/image-with-dd.sh
#
# In the place of disk.img a real disk can stand (if=/dev/sdb): what dd does is the same.
source "$(dirname "$0")/common.sh"
need dd cmp

# A disk with 8 MiB of data, and nothing else.
truncate --size 256M "$work/disk.img"
dd if=/dev/urandom of="$work/disk.img" bs=1M count=8 seek=16 conv=notrunc status=none

rawmount create -f qed "$work/backup.qed" 256M
mkdir "$work/image"
rawmount mount "$work/backup.qed" "$work/image"
later rawmount umount "$work/image"

echo '-- in: conv=sparse leaves out what is zero, conv=fsync waits until all of it is durable'
dd if="$work/disk.img" of="$work/image/disk.raw" bs=1M conv=sparse,notrunc,fsync

echo '-- out: and the same comes back'
dd if="$work/image/disk.raw" of="$work/restored.img" bs=1M conv=sparse
truncate --size 256M "$work/restored.img"
cmp "$work/disk.img" "$work/restored.img"

echo '-- what the image takes'
du --human-readable "$work/backup.qed" "$work/image/disk.raw"
rawmount map --force-share "$work/backup.qed"
