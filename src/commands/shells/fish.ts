import type { CommandWords, Grammar, KeyWords, OperandWords, OptionWords } from './grammar.js'

/** A list of `complete` commands, each with the condition under which it holds. */
export function fishScript({ commands, own }: Grammar): string {
  return [
    '# fish completion for rawmount; made by `rawmount completion fish` from the table of options',
    '',
    'function __rawmount_valued --description "The options of a command that take a value"',
    '    switch $argv[1]',
    ...commands.flatMap(({ name, options }) => {
      const valued = options.filter(({ value }) => value !== null).flatMap(names)
      return valued.length === 0
        ? []
        : [`        case ${name}`, `            printf '%s\\n' ${valued.join(' ')}`]
    }),
    '    end',
    'end',
    '',
    `set -g __rawmount_commands ${commands.map(({ name }) => name).join(' ')}`,
    '',
    RUNTIME,
    'complete -c rawmount -e',
    'complete -c rawmount -f',
    ...commands.map(
      ({ name, what }) => `complete -c rawmount -n __rawmount_first -a ${name} -d ${quote(what)}`,
    ),
    'complete -c rawmount -n __rawmount_first -F',
    ...own.map(option => complete('__rawmount_first', option)),
    ...commands.flatMap(ofCommand),
    '',
  ].join('\n')
}

const RUNTIME = String.raw`function __rawmount_first --description "The command is still to be typed"
    test (count (commandline -opc)) -eq 1
end

# rawmount IMAGE MOUNTPOINT is short for rawmount mount IMAGE MOUNTPOINT.
function __rawmount_command
    set -l tokens (commandline -opc)
    if contains -- "$tokens[2]" $__rawmount_commands
        printf '%s\n' $tokens[2..-1]
    else
        printf '%s\n' mount $tokens[2..-1]
    end
end

# Whether the command is the first argument and, if there is a second one, whether that operand is being typed: a number,
# or a number and + for it and those that follow.
function __rawmount_at --argument-names command operand
    test (count (commandline -opc)) -gt 1; or return 1
    set -l tokens (__rawmount_command)
    test "$tokens[1]" = "$command"; or return 1
    test -n "$operand"; or return 0
    set -l valued (__rawmount_valued $command)
    set -l at 1
    set -l waiting 0
    set -l ended 0
    for token in $tokens[2..-1]
        if test $waiting -eq 1
            set waiting 0
        else if test $ended -eq 1
            set at (math $at + 1)
        else if test "$token" = --
            set ended 1
        else if string match -qr -- '^-.' $token
            if contains -- $token $valued
                set waiting 1
            end
        else
            set at (math $at + 1)
        end
    end
    test $waiting -eq 0; or return 1
    set -l least (string replace + '' -- $operand)
    test $at -eq $least; or begin
        test "$least" != "$operand"; and test $at -gt $least
    end
end

# A mount point is never looked at: a mount that hangs must not hang the shell.
function __rawmount_mounts
    string match -r -- '^.* - fuse\.rawmount ' </proc/self/mountinfo | while read -l line
        printf '%b\n' (string replace -a '\\' '\\0' -- (string split ' ' -- $line)[5])
    end
end

# The items of a list that is typed with commas: each argument is KEY, or KEY= and then the values of that key.
function __rawmount_list
    set -l token (string replace -r -- '^(--[a-z-]+=|-o)' '' (commandline -ct))
    set -l before (string match -r -- '^.*,' $token)
    set -l item (string replace -r -- '^.*,' '' $token)
    for word in $argv
        set -l parts (string split \t -- $word)
        if string match -q -- '*=*' $item
            # KEY=VALUE words belong to the key that is typed.
            string match -q -- (string replace -r '=.*' '=' -- $item)'?*' $parts[1]; or continue
        else
            string match -q -- '*=?*' $parts[1]; and continue
        end
        printf '%s%s\t%s\n' "$before" $parts[1] "$parts[2]"
    end
end
`

function ofCommand({ name, options, operands, rest }: CommandWords): string[] {
  return [
    '',
    ...options.map(option => complete(quote(`__rawmount_at ${name}`), option)),
    ...operands.flatMap((operand, at) => offer(`'__rawmount_at ${name} ${at + 1}'`, operand)),
    ...(rest === null ? [] : offer(`'__rawmount_at ${name} ${operands.length + 1}+'`, rest)),
  ]
}

function names({ short, long }: OptionWords): string[] {
  return [...(short === null ? [] : [`-${short}`]), `--${long}`]
}

function complete(condition: string, { short, long, what, value }: OptionWords): string {
  return [
    `complete -c rawmount -n ${condition}`,
    ...(short === null ? [] : [`-s ${short}`]),
    `-l ${long}`,
    ...(value === null ? [] : [value.keys.length > 0 ? keys(value.keys) : argument(value)]),
    `-d ${quote(what)}`,
  ].join(' ')
}

/** What an option's value may be: -r, it must have one; -f, which is no file. */
function argument(value: OperandWords): string {
  const { words, files } = candidates(value)
  return [files ? '-r -F' : '-x', ...(words === '' ? [] : [`-a ${quote(words)}`])].join(' ')
}

function offer(condition: string, operand: OperandWords): string[] {
  const { words, files } = candidates(operand)
  if (words === '' && !files) return []
  return [
    `complete -c rawmount -n ${condition}${files ? ' -F' : ''}${words === '' ? '' : ` -a ${quote(words)}`}`,
  ]
}

function candidates({ takes: { words = [], paths } }: OperandWords): { words: string; files: boolean } {
  const made = [
    ...words,
    ...(paths === 'mounts' ? ['(__rawmount_mounts)'] : []),
    ...(paths === 'directories' ? ['(__fish_complete_directories)'] : []),
  ]
  return { words: made.join(' '), files: paths === 'files' }
}

function keys(all: readonly KeyWords[]): string {
  const items = all.flatMap(({ key, what, value }) => {
    const name = value === null ? key : `${key}=`
    return [`${name}\t${what}`, ...(value?.takes.words ?? []).map(word => `${key}=${word}`)]
  })
  return `-x -a ${quote(`(__rawmount_list ${items.map(quote).join(' ')})`)}`
}

/** In fish only \\ and \' mean something between single quotes. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
