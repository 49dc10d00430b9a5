"""Scripts that complete ``jupyter-runbook`` and ``jupyter runbook`` in a shell: click's own, and what leads there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

__all__ = ["SHELLS", "completion_script"]

PROGRAM = "jupyter-runbook"
VARIABLE = "_JUPYTER_RUNBOOK_COMPLETE"

# Each hands `jupyter runbook WORDS` over as `jupyter-runbook WORDS`, and leaves the rest to whatever completed before.
_SUB = {
    "bash": r"""
_jupyter_runbook_before=$(complete -p jupyter 2>/dev/null)
_jupyter_runbook_sub() {
    if [[ ${COMP_WORDS[1]} == runbook && $COMP_CWORD -gt 1 ]]; then
        COMP_WORDS=(jupyter-runbook "${COMP_WORDS[@]:2}")
        ((COMP_CWORD--))
        _jupyter_runbook_completion jupyter-runbook
    elif [[ $_jupyter_runbook_before =~ -F\ ([^ ]+) && ${BASH_REMATCH[1]} != _jupyter_runbook_sub ]]; then
        "${BASH_REMATCH[1]}" "$@"
    elif [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W runbook -- "${COMP_WORDS[1]}"))
    fi
}
complete -o nosort -o default -F _jupyter_runbook_sub jupyter
""",
    "zsh": r"""
_jupyter_runbook_sub() {
    if [[ $words[2] == runbook ]] && (( CURRENT > 2 )); then
        words=(jupyter-runbook "${(@)words[3,-1]}")
        (( CURRENT-- ))
        _jupyter_runbook_completion
    elif (( $+functions[_jupyter] )); then
        _jupyter "$@"
    else
        compadd runbook
        _files
    fi
}
compdef _jupyter_runbook_sub jupyter
""",
    "fish": r"""
function _jupyter_runbook_sub
    set -l typed (string replace -r '^\S*jupyter\s+runbook' jupyter-runbook -- (commandline -cp))
    set -l asked _JUPYTER_RUNBOOK_COMPLETE=fish_complete COMP_WORDS="$typed" COMP_CWORD=(commandline -t)
    set -l response (env $asked jupyter-runbook)
    for completion in $response
        set -l metadata (string split "," $completion)
        switch $metadata[1]
            case dir
                __fish_complete_directories $metadata[2]
            case file
                __fish_complete_path $metadata[2]
            case plain
                echo $metadata[2]
        end
    end
end
set -l seen '__fish_seen_subcommand_from runbook'
complete --command jupyter --condition "not $seen" --arguments runbook
complete --no-files --command jupyter --condition $seen --arguments '(_jupyter_runbook_sub)'
""",
}

#: The shells that there is a script for.
SHELLS = tuple(_SUB)


def completion_script(command: click.Command, shell: str) -> str:
    """Return the script for a shell, one of `SHELLS`."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 -- click knows all of them
    return made(command, {}, PROGRAM, VARIABLE).source() + _SUB[shell]
