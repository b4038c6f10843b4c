#!/usr/bin/env bash
# Boots a virtual machine from disk.raw. QEMU takes it for a plain raw disk.
#
#   sudo examples/boot-with-qemu.sh           boots a disk that says hello and switches off
#   sudo examples/boot-with-qemu.sh vm.qed    boots the system in the image; Ctrl-A X ends it
source "$(dirname "$0")/common.sh"
need qemu-system-x86_64

# cache=none: the mount has a page cache already, QEMU's own would be a second one.
boot() {
  qemu-system-x86_64 -nographic -no-reboot -m 512 -nic none "$@" \
    -drive "file=$work/image/disk.raw,format=raw,cache=none"
}

# A boot sector that prints HELLO on the serial line and ends the machine with exit code 33:
#     mov dx, 0x3f8; mov si, text; next: lodsb; test al, al; jz done; out dx, al; jmp next
#     done: mov al, 16; out 0xf4, al; hlt
hello_sector() {
  printf '\xba\xf8\x03\xbe\x13\x7c\xac\x84\xc0\x74\x03\xee\xeb\xf8\xb0\x10\xe6\xf4\xf4'
  printf '\r\nHELLO from a QED image\r\n\0'
}

mkdir "$work/image"
if [ $# -gt 0 ]; then
  rawmount mount "$1" "$work/image"
  later rawmount umount "$work/image"
  boot
  exit
fi

rawmount create -f qed "$work/hello.qed" 64M
rawmount mount "$work/hello.qed" "$work/image"
later rawmount umount "$work/image"
hello_sector | dd of="$work/image/disk.raw" conv=notrunc status=none
printf '\x55\xaa' | dd of="$work/image/disk.raw" bs=1 seek=510 conv=notrunc status=none

status=0
boot -device isa-debug-exit,iobase=0xf4,iosize=4 < /dev/null || status=$?
[ "$status" = 33 ] || die "the machine ended with $status"
