# fish completion of mon, written by `mon completion fish`.

function __mon_completion
    set -l program (string replace -r -- '^~/' "$HOME/" (commandline -opc)[1])
    command -q $program; or set program mon
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx _MON_COMPLETE complete_fish
    set -l answer (command $program 2>/dev/null </dev/null)
    if test "$answer[1]" = :files
        set -l word (commandline -ct)
        # --record=FILE: the completion is the whole word.
        if set -l parts (string match -r -- '^(-[^=]*=)(.*)$' $word)
            complete -C "'' $parts[3]" | string replace -r -- '^' $parts[2]
        else
            complete -C "'' $word"
        end
    else if set -q answer[1]
        printf '%s\n' $answer
    end
end

complete --command mon --erase
complete --command mon --no-files --arguments '(__mon_completion)'
