#!/usr/bin/env bash
# A disk that is there at once: an empty image over a golden one serves from the first moment, fetches the rest by itself, and
# then needs the golden image no more. See docs/copying.md.
source "$(dirname "$0")/common.sh"
need cmp

say() {
  printf '\n%s\n' "$*"
}

say 'A golden image of 256 MiB:'
dd if=/dev/urandom of="$work/golden.raw" bs=1M count=256 status=none
cp "$work/golden.raw" "$work/copy.raw" # to compare with, in the end
ls -lh "$work/golden.raw"

say 'An empty image over it, which keeps what is read:'
rawmount create -f fvd -b golden.raw -F raw -o compact_image=on,copy_on_read=on "$work/vm.fvd"

say 'Mounted, it has everything at once, and fetches 100 MiB a second of it:'
mkdir "$work/vm"
rawmount mount --prefetch on --prefetch-rate 100M "$work/vm.fvd" "$work/vm"
later rawmount umount "$work/vm"
tail -c 1M "$work/vm/disk.raw" | cmp - <(tail -c 1M "$work/copy.raw") && echo 'the last MiB is right'
rawmount status "$work/vm"

until grep -q '"state": "done"' "$work/vm/.rawmount/status.json"; do sleep 0.2; done
say 'When all of it is there, the golden image can go, while the disk is in use:'
rm "$work/golden.raw"
cmp "$work/vm/disk.raw" "$work/copy.raw" && echo 'every byte is right'
