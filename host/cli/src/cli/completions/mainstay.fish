# Completions of mainstay for fish; names and identifiers are those of the running daemon.
function __mainstay_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc) "$current"
    set -l found (mainstay complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c mainstay -f -a '(__mainstay_complete)'
