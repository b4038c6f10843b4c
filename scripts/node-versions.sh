#!/usr/bin/env bash
# Runs the tests on each version of Node.js that rawmount promises to work on, which is downloaded when it is not there:
#
#   npm run test:nodes                               all tests, on each
#   npm run test:nodes -- --smoke                    what depends on Node.js most: native modules, workers, commands
#   npm run test:nodes -- --on 24 --on 22 test/fuse  on these versions; the rest as npm test takes it
#
# The last line says how it went on each; any failure makes the exit code 1.

set -euo pipefail
source "$(dirname "$0")/setup.sh"
source scripts/node.sh

SMOKE=(test/commands/help.test.ts test/libc test/fuse/session.test.ts test/mount/lifecycle.test.ts test/package/consumer.test.ts)

require_node
versions=() arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --on)
      [ $# -gt 1 ] || fail '--on takes a version of Node.js: --on 22'
      versions+=("$2")
      shift
      ;;
    --smoke) arguments+=("${SMOKE[@]}") ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[ ${#versions[@]} -gt 0 ] || versions=("$OLDEST_NODE" 22 24)

results=() status=0
for version in "${versions[@]}"; do
  directory=$(node_directory "$version") || fail "Node.js $version cannot be had from npm."
  exact=$(PATH=$directory/bin:$PATH node --version)
  say "The tests on Node.js $exact:"
  if PATH=$directory/bin:$PATH bash scripts/test.sh "${arguments[@]}"; then
    results+=("$exact passed")
  else
    results+=("$exact FAILED")
    status=1
  fi
done
say "Node.js: $(printf '%s, ' "${results[@]}" | sed 's/, $//')"
exit "$status"
