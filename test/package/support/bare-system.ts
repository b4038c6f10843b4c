import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Scratch } from '../../support/mounting.js'
import { type Outcome, run, succeed } from '../../support/tools.js'
import { archive } from './packed.js'

/**
 * A bare Debian or Ubuntu without a network, in which the package is installed. scripts/clean-root.sh makes it once, in
 * a directory outside the repository, and says there what that costs; scripts/node.sh fetches the oldest Node.js that
 * rawmount runs on. Both are seen read-only, in namespaces of their own: whatever is mounted, started or written there
 * ends with the script.
 */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rawmount-test')
const CLEAN_ROOT = join(CACHE, 'clean-root')
const NODE = join(CACHE, 'node-20.19.0')
/** What npm has fetched from the registry. */
const NPM_CACHE = join(CACHE, 'npm')

/** What lacks() must find for tests in the bare system. */
export const BARE_SYSTEM_NEEDS = ['root', 'unshare', 'mount', CLEAN_ROOT, NODE] as const

const ENTER = `
set -eu
mount --make-rprivate /
mkdir root
mount --bind "$CLEAN_ROOT" root
mount -o remount,bind,ro root
mount --rbind /dev root/dev
mount --rbind /sys root/sys
mount -t proc proc root/proc
for directory in tmp run root home opt usr/local; do mount -t tmpfs -o mode=755 none "root/$directory"; done
chmod 1777 root/tmp
mkdir root/opt/node root/root/.npm
mount --bind "$NODE" root/opt/node
mount --bind "$NPM_CACHE" root/root/.npm
cp ../rawmount.tgz script root/root/
exec chroot root env --ignore-environment HOME=/root PATH=/usr/local/bin:/opt/node/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  npm_config_prefix=/usr/local npm_config_offline=true npm_config_update_notifier=false \\
  npm_config_registry="$(cat ../registry)" sh -eu /root/script
`

/** Packs the package and fetches what it needs: once for all the scripts of a test file. */
export async function fetchPackage(work: Scratch): Promise<void> {
  await succeed('mv', await archive(work.path), work.join('rawmount.tgz'))
  const fetching = ['--ignore-scripts', '--prefer-offline', '--no-save', '--no-audit', '--no-fund']
  const into = ['--cache', NPM_CACHE, '--prefix', work.join('fetched')]
  await succeed('npm', 'install', '--loglevel=error', ...into, ...fetching, work.join('rawmount.tgz'))
  // The cache knows its contents by their addresses.
  await succeed('bash', '-c', 'npm config get registry > "$0"', work.join('registry'))
}

/**
 * Runs a script of the shell as root, with the package in /root/rawmount.tgz, and npm without a network. `name` is a
 * word of its own for each script of a test file.
 */
export async function inBareSystem(fetched: Scratch, name: string, script: string): Promise<Outcome> {
  const directory = await fetched.directory(name)
  await writeFile(join(directory, 'script'), script)
  await writeFile(join(directory, 'enter'), ENTER)
  const namespaces = ['--mount', '--pid', '--net', '--fork', '--kill-child']
  return run('unshare', [...namespaces, 'bash', 'enter'], {
    cwd: directory,
    env: { CLEAN_ROOT, NODE, NPM_CACHE },
  })
}
