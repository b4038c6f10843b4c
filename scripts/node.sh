# Fetches versions of Node.js beside the one that is installed; sourced by test.sh and node-versions.sh.
#
# npm has them as packages: the program alone, without install scripts. Once for each, some 40 MB; 120 MB stay in a
# directory below ~/.cache.

# What package.json promises to run on; the tests hold the two equal.
OLDEST_NODE=20.19.0

# The npm that comes with it; newer Node.js runs it as well.
NPM_OF_OLDEST_NODE=10

# Prints a directory with bin/node and bin/npm of a version, "22" say, and makes it first where that is needed. In a
# shell of its own, so that an interrupted download leaves nothing.
node_directory() (
  version=$1
  ready=$CACHE/node-$version
  if [ ! -e "$ready" ]; then
    say "Downloading Node.js $version"
    mkdir -p "$CACHE"
    work=$(mktemp -d "$ready.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work" && unpack_node "$version" && mv ready "$ready" || exit 1
  fi
  echo "$ready"
)

# Leaves it in the directory "ready".
unpack_node() {
  # By the name that Node.js has for the processor: x64, arm64.
  local package program
  package=node-linux-$(node -p process.arch) || return 1
  npm install --prefix . --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
    "$package@$1" "npm@$NPM_OF_OLDEST_NODE" < /dev/null >&2 || return 1
  mkdir -p ready/bin ready/lib/node_modules
  mv "node_modules/$package/bin/node" ready/bin/ && mv node_modules/npm ready/lib/node_modules/ || return 1
  for program in npm npx; do
    ln -s "../lib/node_modules/npm/bin/$program-cli.js" "ready/bin/$program" || return 1
  done
}
