# Completions of mainstay for bash; names and identifiers are those of the running daemon.
_mainstay() {
    local IFS=$'\n'
    COMPREPLY=($("$1" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _mainstay mainstay
