# Shared by the examples: finds rawmount, and tidies up. To be sourced, not run.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The installed program, or the one that `npm run build` made in this checkout.
rawmount() {
  if [ -f "$here/../dist/bin/rawmount.js" ]; then
    node "$here/../dist/bin/rawmount.js" "$@"
  else
    command rawmount "$@"
  fi
}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || die "$tool is missing: install it, on Debian and Ubuntu with apt-get"
  done
}

PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "${TMPDIR:-/tmp}/rawmount-example.XXXXXX")
undo=()

# Puts a command on the list of what is undone at the end, last things first, however the script ends.
later() {
  undo=("$(printf '%q ' "$@")" ${undo[@]+"${undo[@]}"})
}

tidy() {
  local status=$? step
  for step in ${undo[@]+"${undo[@]}"}; do eval "$step" || status=1; done
  rm -rf --one-file-system "$work"
  exit "$status"
}
trap tidy EXIT
