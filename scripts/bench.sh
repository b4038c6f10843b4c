#!/usr/bin/env bash
# Measures rawmount beside QEMU's FUSE export: npm run bench [-- OPTIONS], see --help. As root on a Debian or Ubuntu
# it installs what is missing, and builds.

set -euo pipefail
source "$(dirname "$0")/setup.sh"

require_node
is_root || fail 'The benchmark mounts as root does: sudo npm run bench'
install_tools qemu-img qemu-io qemu-storage-daemon fio fusermount3 findmnt libfuse.so.2 || exit 1
require_fuse
install_node_modules
build

exec node dist/bench/main.js "$@"
