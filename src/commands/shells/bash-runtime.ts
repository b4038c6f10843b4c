/**
 * The part of the bash script that does not depend on the table.
 *
 * bash cuts the line at = and : as well (COMP_WORDBREAKS), and replaces only the last piece; so the words are put
 * together again first, and what is offered loses at the end what stands before that piece. Files are left to readline
 * (compopt -o default), which knows about quotes and the home directory. A mount point is never looked at: a mount that
 * hangs must not hang the shell.
 */
export const bashRuntime = String.raw`_rawmount_mounts() {
  local fields mountpoint IFS=' '
  while read -r -a fields; do
    [[ " \${fields[*]:6} " == *' - fuse.rawmount '* ]] || continue
    printf -v mountpoint '%b' "\${fields[4]//\\/\\0}"
    printf '%q\n' "$mountpoint"
  done < /proc/self/mountinfo
}

_rawmount() {
  local options valued words keys paths
  local rest=$COMP_LINE line=() word i at
  rest=\${rest#*"\${COMP_WORDS[0]}"}
  line=("\${COMP_WORDS[0]}")
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $rest == [[:space:]]* || -z $rest ]]; then line+=("$word"); else line[-1]+=$word; fi
    rest=\${rest#"\${rest%%[![:space:]]*}"}
    rest=\${rest#"$word"}
  done
  local last=$((\${#line[@]} - 1))
  local current=\${line[last]} piece=\${COMP_WORDS[COMP_CWORD]}
  [[ $piece == [=:] ]] && piece=
  COMPREPLY=()

  local command=\${line[1]} first=2
  if ((last == 1)); then
    if [[ $current == -* ]]; then _rawmount_offer '' "$current" "\${_rawmount_own[@]}"
    else _rawmount_offer '' "$current" "\${_rawmount_commands[@]}"; compopt -o default
    fi
    return
  fi
  # rawmount IMAGE MOUNTPOINT is short for rawmount mount IMAGE MOUNTPOINT.
  if [[ " \${_rawmount_commands[*]} " != *" $command "* ]]; then command=mount first=1; fi
  _rawmount_options "$command"

  local operand=1 waiting='' ended='' letters
  for ((at = first; at < last; at++)); do
    word=\${line[at]}
    if [[ -n $waiting ]]; then waiting=
    elif [[ -n $ended ]]; then ((operand++))
    else
      case $word in
        --) ended=1 ;;
        --*=*) ;;
        --*) if _rawmount_valued "$word"; then waiting=$word; fi ;;
        -?*)
          for ((letters = 1; letters < \${#word}; letters++)); do
            _rawmount_valued "-\${word:letters:1}" || continue
            if ((letters == \${#word} - 1)); then waiting=-\${word:letters:1}; fi
            break
          done ;;
        *) ((operand++)) ;;
      esac
    fi
  done

  local name=$operand before=''
  if [[ -n $waiting ]]; then name=$waiting
  elif [[ -z $ended && $current == --*=* ]]; then name=\${current%%=*} before=$name=
  elif [[ -z $ended && $current == -* ]]; then
    _rawmount_offer '' "$current" "\${options[@]}"
    return
  fi
  local value=\${current#"$before"}
  _rawmount_takes "$command" "$name"
  if ((\${#keys[@]} > 0)); then
    local item=\${value##*,}
    before+=\${value%"$item"}
    if [[ $item == *=* ]]; then
      _rawmount_takes "$command" "$name \${item%%=*}"
      before+=\${item%%=*}=
      value=\${item#*=}
    else
      words=("\${keys[@]}")
      value=$item
    fi
  fi
  _rawmount_offer "$before" "$value" "\${words[@]}"
  case $paths in
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
    mounts)
      mapfile -t words < <(_rawmount_mounts)
      _rawmount_offer "$before" "$value" "\${words[@]}"
      compopt -o default ;;
  esac
}

_rawmount_valued() {
  [[ " \${valued[*]} " == *" $1 "* ]]
}

# Offers those of the words that go on where the value is; the first argument is what stands before it in its word.
_rawmount_offer() {
  local before=$1 value=$2 word
  local cut=$((\${#current} - \${#piece}))
  shift 2
  for word; do
    [[ $word == "$value"* ]] || continue
    word=$before$word
    COMPREPLY+=("\${word:cut}")
    if [[ $word == *= ]]; then compopt -o nospace; fi
  done
}

complete -F _rawmount rawmount
`.replaceAll('\\${', '${')
