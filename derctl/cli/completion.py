"""`derctl completion bash|zsh`: what a shell completes, made from the verbs and their parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from derctl.core.dataclass import dataclass

SHELLS = ("bash", "zsh")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("shell", choices=SHELLS, help="whose completion is printed")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    from derctl.cli import VERBS, parser_of

    verbs = {name: verb.help for name, verb in VERBS.items()}
    options = {name: list(options_of(parser_of(name))) for name in VERBS}
    print({"bash": bash, "zsh": zsh}[args.shell](verbs, options))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """words: as it is typed, () of one that has only a place. files: whether what follows is one; choices: else what
    it may be. takes: whether something follows."""

    words: tuple[str, ...]
    help: str = ""
    takes: bool = False
    files: bool = False
    choices: tuple[str, ...] = ()


def options_of(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """Of one verb."""
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        takes = action.nargs != 0
        name = f"{action.metavar or action.dest}"
        choices = tuple(str(each) for each in action.choices or ())
        path = action.type is not None and "Path" in str(action.type)
        yield Option(
            words=tuple(action.option_strings),
            help=(action.help or "").replace("%%", "%").partition("\n")[0],
            takes=takes,
            files=takes and not choices and (path or "FILE" in name),
            choices=choices,
        )


Options = Mapping[str, list[Option]]


def bash(verbs: Mapping[str, str], options: Options) -> str:
    """For bash-completion, or sourced from ~/.bashrc."""
    after = "\n".join(f"        {'|'.join(case)}) {act} ;;" for case, act in _after(options))
    words = "\n".join(f"        {name}) {_words(options[name])} ;;" for name in verbs)
    return f"""\
# derctl's completion for bash, made by `derctl completion bash`.
_derctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[1]}} words= places=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '{" ".join(verbs)} --help --version' -- "$cur"))
        return
    fi
    case "$verb:${{COMP_WORDS[COMP_CWORD - 1]}}" in
{after}
    esac
    case "$verb" in
{words}
    esac
    if [ -n "$places" ] && [ "${{cur#-}}" = "$cur" ]; then words=$places; fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _derctl derctl"""


def _after(options: Options) -> Iterator[tuple[list[str], str]]:
    """What comes behind an option: files, one of its choices, or anything."""
    for name, each in options.items():
        for option in each:
            case = [f"{name}:{word}" for word in option.words]
            if not case or not option.takes:
                continue
            if option.choices:
                yield case, f"COMPREPLY=($(compgen -W '{' '.join(option.choices)}' -- \"$cur\")); return"
            else:
                yield case, 'COMPREPLY=($(compgen -f -- "$cur")); return' if option.files else "return"


def _words(options: list[Option]) -> str:
    """Options, and what may stand without one."""
    words = [word for option in options for word in option.words]
    places = [choice for option in options if not option.words for choice in option.choices]
    return f"words='{' '.join(words)}'" + (f" places='{' '.join(places)}'" if places else "")


def zsh(verbs: Mapping[str, str], options: Options) -> str:
    """For a folder of $fpath, as _derctl."""
    listed = "\n".join(f"        '{name}:{_quoted(text)}'" for name, text in verbs.items())
    cases = "\n".join(f"        {name})\n            _arguments {' '.join(_zsh(options[name]))} ;;" for name in verbs)
    return f"""\
#compdef derctl
# derctl's completion for zsh, made by `derctl completion zsh`.
_derctl() {{
    local -a verbs
    verbs=(
{listed}
    )
    if (( CURRENT == 2 )); then
        _describe 'verb' verbs
        return
    fi
    local verb=$words[2]
    shift words
    (( CURRENT-- ))
    case $verb in
{cases}
    esac
}}
_derctl "$@\""""


def _zsh(options: list[Option]) -> Iterator[str]:
    """Arguments of _arguments: '(-c --config)'{-c,--config}'[text]:what:how'."""
    for option in options:
        act = f":{_act(option)}" if option.takes else ""
        if not option.words:
            yield f"'*:{_act(option)}'"
            continue
        text = f"[{_quoted(option.help).replace('[', '(').replace(']', ')')}]"
        if len(option.words) == 1:
            yield f"'{option.words[0]}{text}{act}'"
        else:
            yield f"'({' '.join(option.words)})'{{{','.join(option.words)}}}'{text}{act}'"


def _act(option: Option) -> str:
    if option.choices:
        return f"one of:({' '.join(option.choices)})"
    return "file:_files" if option.files else "value: "


def _quoted(text: str) -> str:
    """Within single quotes, and where a colon parts."""
    return text.replace("'", "'\\''").replace(":", "\\:")
