
# Words are put together again where bash divided them (batch:3, --rule=x), and what is offered is escaped.
_tidyctl() {
    local raw=${COMP_WORDS[COMP_CWORD]} current=$2 word glue= kept i last=-1
    local -a words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)) && [[ $word != ":" && $word != "=" ]]; then
            word=$current
        fi
        if ((last > 0)) && [[ -n $glue || $word == ":" || $word == "=" ]]; then
            words[last]+=$word
        else
            words[++last]=$word
        fi
        glue=
        if [[ $word == ":" || $word == "=" ]]; then
            glue=yes
        fi
    done
    kept=${words[last]%"$current"}
    if [[ $raw == ":" || $raw == "=" ]]; then
        kept=${words[last]}
    fi
    local -a COMP_WORDS=("${words[@]}")
    local COMP_CWORD=$last
    _clap_complete_tidyctl "$1" "${words[last]}" "$3"
    for i in "${!COMPREPLY[@]}"; do
        word=${COMPREPLY[i]#"$kept"}
        # Within quotes it is taken as it is.
        if [[ $raw != [\"\']* ]]; then
            if [[ $word == "~/"* ]]; then
                printf -v word '~/%q' "${word:2}"
            elif [[ -n $word ]]; then
                printf -v word '%q' "$word"
            fi
        fi
        COMPREPLY[i]=$word
    done
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _tidyctl tidyctl
else
    complete -o nospace -o bashdefault -F _tidyctl tidyctl
fi
