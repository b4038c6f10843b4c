import { command } from '../arguments/command.js'

export const completion = command({
  name: 'completion',
  summary: 'print the completion of commands and options for a shell',
  description: [
    'Prints a script for SHELL, which is bash, zsh or fish, that completes commands, options, their values, files and mount points. A global installation of the package has the scripts and the manual pages below `$(npm root -g)/rawmount/dist/share`, too.',
    'bash: put `eval "$(rawmount completion bash)"` into ~/.bashrc. zsh: write it to a file _rawmount in a directory of $fpath. fish: write it to ~/.config/fish/completions/rawmount.fish.',
  ],
  operands: [{ name: 'SHELL', takes: { words: ['bash', 'zsh', 'fish'] } }],
  options: {},
  examples: [
    { line: 'rawmount completion bash > /etc/bash_completion.d/rawmount', what: 'for everybody' },
    { line: 'eval "$(rawmount completion bash)"', what: 'for this shell' },
  ],
})
