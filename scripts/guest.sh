# Fetches what the virtual machine of the tests is made of; sourced by test.sh, as root.
#
# A kernel and a static busybox of Debian or Ubuntu are downloaded, and unpacked without being installed: the machine that
# runs the tests keeps its own. Once, some 28 MB; 16 MB of it stay in a directory below ~/.cache.

GUEST=$CACHE/guest

# Metapackages that depend on a small kernel for virtual machines: Debian, Ubuntu.
GUEST_KERNELS=(linux-image-cloud-amd64 linux-image-virtual)

# Returns 1, and says why, where it cannot be had. In a shell of its own, so that an interrupted download leaves nothing.
prepare_guest() (
  [ ! -e "$GUEST" ] || exit 0
  say 'Downloading kernel and busybox of the virtual machine of the tests'
  mkdir -p "$(dirname "$GUEST")"
  work=$(mktemp -d "$GUEST.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work" && unpack_guest && mv ready "$GUEST"
)

# Leaves it in the directory "ready".
unpack_guest() {
  local kernel package module
  apt_get update
  kernel=$(guest_kernel) || return 1
  apt_get download "$kernel" busybox-static
  for package in *.deb; do dpkg --extract "$package" . || return 1; done
  mkdir -p ready/modules
  cp boot/vmlinuz-* ready/vmlinuz || return 1
  # Debian 12 has it in /bin, later systems in /usr/bin.
  cp "$(find bin usr/bin -name busybox 2> /dev/null | head -n 1)" ready/busybox || return 1
  # Ubuntu has no such modules: there they are part of the kernel.
  find . -path './lib/modules/*' -o -path './usr/lib/modules/*' | grep -E '/virtio[a-z_]*\.ko(\.xz)?$' |
    while read -r module; do cp "$module" ready/modules; done
  find ready/modules -name '*.xz' -exec xz --decompress {} +
}

# The kernel's own package.
guest_kernel() {
  local meta kernel
  for meta in "${GUEST_KERNELS[@]}"; do
    kernel=$(apt-cache depends "$meta" 2> /dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    if [ -n "$kernel" ]; then
      echo "$kernel"
      return 0
    fi
  done
  say "None of the packages ${GUEST_KERNELS[*]} is known here, so no virtual machine can be booted."
  return 1
}
