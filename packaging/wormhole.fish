# fish completion for wormhole

set -l verbs share get put ls cache
set -l any "__fish_seen_subcommand_from $verbs"
set -l share '__fish_seen_subcommand_from share'
set -l get '__fish_seen_subcommand_from get put'
set -l ls '__fish_seen_subcommand_from ls'
set -l cache '__fish_seen_subcommand_from cache'
set -l joining '__fish_seen_subcommand_from share get put ls'
set -l guest '__fish_seen_subcommand_from get put ls'

complete -c wormhole -f
complete -c wormhole -n "not $any" -a share -d 'Serve files and directories'
complete -c wormhole -n "not $any" -a get -d 'Fetch them'
complete -c wormhole -n "not $any" -a put -d 'Put some there'
complete -c wormhole -n "not $any" -a ls -d 'Look first'
complete -c wormhole -n "not $any" -a cache -d 'What is remembered of fetched files'
complete -c wormhole -n "not $any" -l version -d 'The version'

complete -c wormhole -s h -l help -d 'Help, with examples'
complete -c wormhole -n "$any" -l json -d 'One JSON object a line'
complete -c wormhole -n "$any" -s q -l quiet -d 'Say nothing but errors and results'
complete -c wormhole -n "$any" -s v -l verbose -d 'Say more'
complete -c wormhole -n "$joining" -l code-file -r -F -d 'The code is in this file'

complete -c wormhole -n "$share" -F
complete -c wormhole -n "$share" -l listen -x -d 'Address and port to listen at'
complete -c wormhole -n "$share" -l once -d 'End after one session'
complete -c wormhole -n "$share" -l writable -d 'Others may change what is there'
complete -c wormhole -n "$share" -l incoming -d 'Others may add files, and see nothing'
complete -c wormhole -n "$share" -l encryption -x -a 'on off' -d 'Allow unencrypted contents'

complete -c wormhole -n "$joining" -l code -x -d 'The code'
complete -c wormhole -n "$guest" -a '(__fish_print_hostnames)'
complete -c wormhole -n "$get" -F
complete -c wormhole -n "$get" -l overwrite -d 'Replace files that differ'
complete -c wormhole -n "$get" -l delete -d 'Delete what is not at the source'
complete -c wormhole -n "$get" -s y -l yes -d 'Do not ask before deleting'
complete -c wormhole -n "$get" -l checksum -d 'Compare by content'
complete -c wormhole -n "$get" -l no-reuse -d 'Fetch changed files whole'
complete -c wormhole -n "$get" -l streams -x -d 'At most so many connections'
complete -c wormhole -n "$get" -l compression -x -a 'auto off' -d 'Never compress'
complete -c wormhole -n "$get" -l encryption -x -a 'on off' -d 'Receive contents unencrypted'
complete -c wormhole -n "$get" -l fsync -d 'On the disk before success is said'
complete -c wormhole -n "$get" -s u -l update -d 'Replace older files, leave newer ones'
complete -c wormhole -n "$get" -l ignore-existing -d 'Leave every file that is there'
complete -c wormhole -n "$get" -s a -l archive -d 'Owners, groups, attributes and ACLs, too'
complete -c wormhole -n "$get" -s U -l atimes -d 'Access times, too'
complete -c wormhole -n "$get" -l exclude -x -d 'Pass over what fits'
complete -c wormhole -n "$get" -l include -x -d 'Do not, whatever comes after'
complete -c wormhole -n "$get" -l exclude-from -r -F -d 'Patterns from a file'
complete -c wormhole -n "$get" -l gitignore -d 'Pass over what .gitignore files name'
complete -c wormhole -n "$get" -l max-size -x -d 'Pass over longer files'
complete -c wormhole -n "$get" -s n -l dry-run -d 'Say what would be done'
complete -c wormhole -n "$get" -l bwlimit -x -d 'Bytes a second at most'
complete -c wormhole -n "$get" -l stats -d 'All that was counted'
complete -c wormhole -n "$ls" -s l -d 'Modes, sizes and times'
complete -c wormhole -n "$ls" -s R -d 'Everything below'

complete -c wormhole -n "$cache" -l verify -d 'Forget files that changed or are gone'
complete -c wormhole -n "$cache" -l clear -d 'Forget everything'
