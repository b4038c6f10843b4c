# Makes the bare system in which the package of rawmount is tried; sourced by test.sh, as root.
#
# The release that this machine runs, with what its package manager calls required and nothing else: no Node.js, no
# FUSE, no compiler. From the mirror this machine uses. Once, some 50 MB of download and 20 seconds; 120 MB stay in a
# directory below ~/.cache, which the tests see read-only.

CLEAN_ROOT=$CACHE/clean-root

# Returns 1, and says why, where it cannot be had. In a shell of its own, so that an interrupted download leaves nothing.
prepare_clean_root() (
  node_directory "$OLDEST_NODE" > /dev/null || exit 1
  [ ! -e "$CLEAN_ROOT" ] || exit 0
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  if [ -z "$codename" ] || ! have apt-get; then
    say 'This is no Debian or Ubuntu, so there is no bare system to try the package in.'
    exit 1
  fi
  install_tools mmdebstrap || exit 1
  apt_get update
  mirror=$(package_mirror "$codename")
  if [ -z "$mirror" ]; then
    say "The sources of apt name no mirror of $codename, so there is no bare system to try the package in."
    exit 1
  fi
  say 'Making the bare system of the tests'
  mkdir -p "$CACHE"
  work=$(mktemp -d "$CLEAN_ROOT.XXXXXX")
  trap 'rm -rf --one-file-system "$work"' EXIT
  leave_out=()
  for directory in doc man locale; do leave_out+=("--dpkgopt=path-exclude=/usr/share/$directory/*"); done
  mmdebstrap --quiet --variant=minbase "${leave_out[@]}" "$codename" "$work/root" "$mirror" < /dev/null >&2 || exit 1
  mv "$work/root" "$CLEAN_ROOT"
)

# The first address that apt has the release itself from, not its updates.
package_mirror() {
  apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
    sed -n "s/^$1 main //p" | head -n 1
}
