#compdef mainstay
# Completions of mainstay for zsh; names and identifiers are those of the running daemon.
_mainstay() {
    local -a candidates
    candidates=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    candidates=(${candidates:#})
    if (( $#candidates )); then
        compadd -a candidates
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_mainstay" ]; then
    _mainstay "$@"
else
    compdef _mainstay mainstay
fi
