"""completion ..."""

from typing import Annotated, Literal

import typer

# What a shell asks the command itself for, by the protocol of Typer: words and position in, one candidate a line out.
_SCRIPTS = {
    "bash": """\
_pc_hybrid_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _PC_HYBRID_COMPLETE=complete_bash "$1") )
}
complete -o default -F _pc_hybrid_completion pc-hybrid
""",
    "zsh": """\
#compdef pc-hybrid
_pc_hybrid_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _PC_HYBRID_COMPLETE=complete_zsh "${words[1]}")"
}
compdef _pc_hybrid_completion pc-hybrid
""",
    "fish": """\
function __pc_hybrid_complete
    _PC_HYBRID_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
        _TYPER_COMPLETE_ARGS=(commandline -cp) pc-hybrid
end
complete --command pc-hybrid --no-files --condition '__pc_hybrid_complete is-args' \\
    --arguments '(__pc_hybrid_complete get-args)'
""",
}


def register(app: typer.Typer) -> None:
    app.command("completion")(completion)


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Your shell.")]) -> None:
    """Print what makes a shell complete commands and options.

    bash: eval "$(pc-hybrid completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit. fish: pc-hybrid
    completion fish | source in ~/.config/fish/config.fish.
    """
    print(_SCRIPTS[shell], end="")
