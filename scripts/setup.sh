# Brings a bare Debian or Ubuntu to the point where rawmount can be built and used; sourced by the other scripts.
#
# Nothing is touched that is there already: packages are installed only when a tool is missing, node modules only
# when package-lock.json is newer. The build begins anew: old output would keep tests alive whose source is gone.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the tests download once.
CACHE=${XDG_CACHE_HOME:-~/.cache}/rawmount-test

say() {
  printf '%s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

is_root() {
  [ "$(id -u)" = 0 ]
}

# The Debian package that has a tool.
package_of() {
  case $1 in
    qemu-img | qemu-io) echo qemu-utils ;;
    qemu-storage-daemon) echo qemu-system-common ;;
    fusermount3) echo fuse3 ;;
    # Renamed when time_t became 64 bits wide: Debian 13, Ubuntu 24.04.
    libfuse.so.2) if apt-cache show libfuse2t64 > /dev/null 2>&1; then echo libfuse2t64; else echo libfuse2; fi ;;
    mkfs.xfs | xfs_repair) echo xfsprogs ;;
    mkfs.ext4 | e2fsck) echo e2fsprogs ;;
    sfdisk) echo fdisk ;;
    sgdisk) echo gdisk ;;
    mount | umount | losetup) echo mount ;;
    xz) echo xz-utils ;;
    nginx) echo nginx-light ;;
    qemu-system-x86_64) echo qemu-system-x86 ;;
    mformat | mcopy) echo mtools ;;
    /usr/lib/syslinux/*) echo syslinux-common ;;
    systemd-analyze) echo systemd ;;
    script) echo bsdutils ;;
    groff) echo groff-base ;;
    # Ubuntu has it as a snap only, which no test can keep in a directory of its own.
    chromium) if apt-cache show chromium > /dev/null 2>&1; then echo chromium; fi ;;
    findmnt | setpriv | unshare | partx | fstrim | fallocate) echo util-linux ;;
    *) echo "$1" ;;
  esac
}

# True when a tool, a library by its soname, or a file by its path is there.
have() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *.so.*) PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q "$1" ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" > /dev/null ;;
  esac
}

# Installs what is missing of the tools named. Without root it says how, and returns 1.
install_tools() {
  local tool missing=() packages=()
  for tool in "$@"; do
    have "$tool" || missing+=("$tool")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get > /dev/null; then
    say "Missing: ${missing[*]}. This system has no apt-get: please install them with its own package manager."
    return 1
  fi
  if is_root; then
    say "Installing the packages of: ${missing[*]}"
    # The names of packages are looked up in the lists, so those come first.
    apt_get update
  fi
  for tool in "${missing[@]}"; do
    packages+=("$(package_of "$tool")")
  done
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u | sed '/^$/d')
  if ! is_root; then
    say "Missing: ${missing[*]}. To install them, run:"
    say "    sudo apt-get update && sudo apt-get install -y ${packages[*]}"
    return 1
  fi
  apt_get install -y --no-install-recommends "${packages[@]}"
}

apt_get() {
  local log
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" < /dev/null > "$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "apt-get $1 failed, see above."
  fi
  rm -f "$log"
}

require_node() {
  command -v node > /dev/null && command -v npm > /dev/null || fail "Node.js 20.19 or newer is needed, with npm: https://nodejs.org"
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js 20.19 or newer is needed; this is $(node --version)."
}

# FUSE in the kernel: a module on most systems, and loaded on first use there unless nobody made the device.
require_fuse() {
  [ -e /dev/fuse ] && return 0
  is_root && command -v modprobe > /dev/null && modprobe fuse 2> /dev/null || true
  if is_root && [ ! -e /dev/fuse ] && grep -qw fuse /proc/filesystems; then mknod -m 666 /dev/fuse c 10 229; fi
  [ -e /dev/fuse ] || fail "/dev/fuse is missing: run 'modprobe fuse' as root (a container needs --device /dev/fuse)."
}

# Without install scripts: all that is native comes prebuilt inside the packages, so nothing is compiled.
install_node_modules() {
  # npm ci begins by emptying the directory, through a link too: others who share it would stand there without.
  if [ -L node_modules ]; then
    say "node_modules is a link to $(readlink node_modules), so it is used as it is, and not brought up to date."
    return 0
  fi
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing node modules: npm ci"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error < /dev/null >&2
    # npm may leave the time of an older file; the next run must see that all is done.
    touch node_modules/.package-lock.json
  fi
}

build() {
  npm run --silent build < /dev/null >&2 || fail "The build failed, see above."
}
