# bash completion of mon, written by `mon completion bash`.

_mon_completion() {
    local program=${1:-mon} word=${COMP_WORDS[COMP_CWORD]} answer line
    program=${program/#\~\//$HOME/}
    type -P -- "$program" >/dev/null || program=mon
    # Of the word under the cursor, only what is before the cursor.
    [[ -n ${2-} && $word == "$2"* ]] && word=$2
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}" "$word")
    local IFS=$'\n'
    answer=$(env COMP_WORDS="${words[*]}" COMP_CWORD="$COMP_CWORD" _MON_COMPLETE=complete_bash \
        "$program" 2>/dev/null </dev/null)
    COMPREPLY=()
    if [[ $answer == :files ]]; then
        compopt -o default 2>/dev/null && return
        answer=$(compgen -f -- "${word#[\"\']}")
    fi
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("$line")
    done <<<"$answer"
    return 0
}

complete -F _mon_completion mon
