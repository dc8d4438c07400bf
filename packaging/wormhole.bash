# bash completion for wormhole

_wormhole() {
  local current=${COMP_WORDS[COMP_CWORD]} previous='' verb='' word
  [ "$COMP_CWORD" -gt 0 ] && previous=${COMP_WORDS[COMP_CWORD - 1]}
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      share | get | put | ls | cache)
        verb=$word
        break
        ;;
    esac
  done
  COMPREPLY=()

  case $previous in
    --code-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --compression)
      mapfile -t COMPREPLY < <(compgen -W 'auto off' -- "$current")
      return
      ;;
    --encryption)
      mapfile -t COMPREPLY < <(compgen -W 'off on' -- "$current")
      return
      ;;
    --listen | --streams | --code | --exclude | --include | --max-size | --bwlimit)
      return
      ;;
  esac

  local common='--help --json --quiet --verbose'
  local options
  case $verb in
    '') options="--help --version" ;;
    share) options="--code --code-file --encryption --incoming --listen --once --writable $common" ;;
    get | put) options="--archive --atimes --bwlimit --checksum --code --code-file --compression \
      --delete --dry-run --encryption --exclude --exclude-from --fsync --gitignore --ignore-existing \
      --include --max-size --no-reuse --overwrite --stats --streams --update --yes $common" ;;
    ls) options="--code --code-file -l -R $common" ;;
    cache) options="--clear --verify $common" ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [ -z "$verb" ]; then
    mapfile -t COMPREPLY < <(compgen -W 'cache get ls put share' -- "$current")
  elif [ "$verb" = cache ]; then
    return
  elif [ "$verb" = share ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [ "$verb" = get ] || [ "$verb" = put ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"; compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
  fi
}

complete -F _wormhole wormhole
