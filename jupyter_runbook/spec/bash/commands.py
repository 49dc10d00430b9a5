"""What the commands of a bash script make of their words: which of them are data, and which are run. Pure.

A word is data for a program unless the program is known to run it. A longer text with a value in it is data only for
those of `TEXTS`: it may be a program itself, in any language. bash's own commands are data only where they are named as
such.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_runbook.spec.bash.programs import (
    ASSIGNING,
    BINARY,
    BUILTINS,
    CODED,
    COMPUTED,
    CONTAINERS,
    GIT_RUNS,
    GIT_SHOWN,
    JOINS,
    JQ_NAMES,
    LETTERS,
    OPTIONS_RUN,
    PLAIN,
    PROGRAMS,
    PYTHON_MODULES,
    RUN,
    RUN_OPTION,
    RUN_PAIRS,
    RUNNERS,
    SHELLS,
    STDIN,
    TAR,
    TEXTS,
    UNARY,
    VALUED,
    WRAPPERS,
    Program,
    Wrapper,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Word", "reads_data", "script_at", "special_variable", "why_run"]


@dataclass(frozen=True)
class Word:
    """One word of a command.

    Parameters
    ----------
    literal
        What it is once bash has taken its quotes away; None where something is expanded in it.
    before, after
        What stands around the value in it, likewise; empty where the value is the whole word.
    holds
        Whether it has a value.
    split
        Whether the shell makes several words of it.
    """

    literal: str | None
    before: str = ""
    after: str = ""
    holds: bool = False
    split: bool = False

    @property
    def name(self) -> str:
        """What a program is called, without its path; empty where something is expanded."""
        return (self.literal or "").rpartition("/")[2]

    @property
    def begins(self) -> str:
        """The word, up to its value where it has one."""
        return self.before if self.literal is None else self.literal

    @property
    def is_option(self) -> bool:
        """Whether it is an option, and not the end of them, nor a lone hyphen."""
        return self.begins.startswith(("-", "+")) and self.literal not in ("-", "--")

    @property
    def is_plain(self) -> bool:
        """Whether what is beside the value makes no more of it than a name, a path, an address or an option's value."""
        return bool(_SIMPLE.fullmatch(self.before) and _SIMPLE.fullmatch(self.after))


# Programs that read their code from a file, which may be their standard input.
_CODE_FILES = ("sed", "gsed", "awk", "gawk", "mawk", "nawk", "jq", "yq", "gojq")
# Beside a value that is a word of its own: parts of names, paths, options, addresses.
_SIMPLE = re.compile(r"[\w./:=@%+,~^-]*")


def special_variable(name: str) -> str | None:
    """Return what becomes of a variable's value, where it is no data."""
    if name in RUN or name.startswith("BASH_FUNC_"):
        return f"would be the value of {name}, which is run"
    if name in COMPUTED:
        return f"would be the value of {name}, which bash computes"
    return None


def why_run(words: Sequence[Word], at: int, functions: frozenset[str] = frozenset()) -> str | None:
    """Return why a value can't stand in a command; None where it is data.

    Parameters
    ----------
    words
        The command's words, its name first.
    at
        Which of them has the value.
    functions
        The names of the script's own functions, whose words are looked at in their bodies.
    """
    name = words[0].name
    if name in functions:
        return None
    if words[at].split and (at == 0 or not _takes_any(name)):
        return f'is split into words here, and {name or "the command"} may run one; put it in quotes, "${{…}}"'
    if at == 0:
        # The path of a folder, before a program that the script names.
        return None if re.fullmatch(r"/[\w./+-]*[\w+-]", words[0].after) else "would name the command to run"
    if name in WRAPPERS or name in BUILTINS:
        return (_wrapped if name in WRAPPERS else _builtin)(name, words, at)
    if words[0].literal is None:
        return _unnamed(words, at)
    return _inside(name, words, at) or (_program if name in PROGRAMS else _other)(name, words, at)


def _takes_any(name: str) -> bool:
    """Tell whether a command runs none of its words, however many there are."""
    return name in PLAIN or name in ("printf", "set") or (name in TEXTS and name not in OPTIONS_RUN | CONTAINERS)


def _unnamed(words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a command whose name is in a variable: it may be a shell, or ``sudo``."""
    options = [one.literal for one in words[1:at] if one.is_option]
    code = any(re.fullmatch(r"-\w*[ceEsS]\w*|--(eval|exec|command|run)\S*", one or "") for one in options)
    if at == 1 or code or not words[at].is_plain:
        return "is handed to a command whose name is in a variable, which may run it"
    return _inside("", words, at)


def script_at(words: Sequence[Word]) -> int | None:
    """Return which of a command's words is a script of its own; None where none is."""
    for number, word in enumerate(words[:-1]):
        if word.name in ("eval", "trap") and number < 2:  # noqa: PLR2004 -- builtin eval
            return number + 1 + (words[number + 1].literal == "--" and number + 2 < len(words))
        if word.name in CODED:
            coded = False
            for at in range(number + 1, len(words)):
                literal = words[at].literal or ""
                coded = coded or bool(re.fullmatch(r"-\w*c|--command", literal))
                if coded and not (literal.startswith(("-", "+")) or literal in ("", "--")):
                    return at
                if coded and words[at].literal is None:
                    return at
    return None


def reads_data(words: Sequence[Word], functions: frozenset[str] = frozenset()) -> bool:
    """Tell whether a command takes its standard input for data.

    Parameters
    ----------
    words
        The command's words, its name first.
    functions
        The names of the script's own functions, whose bodies are looked at themselves.
    """
    name = words[0].name if words else ""
    if name in functions:
        return True
    if name in WRAPPERS:
        start = _start(name, words)
        runs = any(re.match(r"-(S|c|s|i)$|--(split-string|command|shell)", one.begins) for one in words[1:start])
        if runs or start is None or name == "coproc" or start == len(words):
            return name == "xargs" and start == len(words)  # it prints them
        return _takes(words, start) if name == "xargs" else reads_data(words[start:], functions)
    if name in CONTAINERS:
        # docker exec -i web sh
        return not any(one.literal in ("exec", "run", "build", "attach", "rsh", "debug") for one in words)
    if name in PROGRAMS and name not in STDIN:
        # With a script of its own, a program's input is that script's. That of a shell's may be run by it.
        first = next((one.literal for one in words[1:] if one.literal != "-u"), None)
        return name not in SHELLS and first in ("-c", "-e", "-E", "-r", "-ne", "-pe", "-ane", "-lne")
    return name in STDIN and not any(one.literal in ("-", "/dev/stdin") for one in words[1:] if name in _CODE_FILES)


def _takes(words: Sequence[Word], start: int) -> bool:
    """Tell whether the words that xargs reads are data for its command."""
    replaced = [words[number + 1].literal for number in range(1, start - 1) if words[number].literal == "-I"]
    inner = list(words[start:])
    if not replaced:
        return not why_run([*inner, Word(None, holds=True, split=True)], len(inner))
    mark = replaced[-1] or "{}"
    for number, one in enumerate(inner):
        before, found, after = (one.literal or "").partition(mark)
        if found:
            given = [*inner[:number], Word(None, before, after, holds=True), *inner[number + 1 :]]
            if why_run(given, number):
                return False
    return True


# What a value is to each kind of command.


def _inside(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a program by another one among its words, which it may run: ``docker exec web sh -c …``."""
    for number in range(1, at):
        inner = words[number].name
        # apt-get install python3, useradd -s /bin/bash
        runs = inner in RUNNERS and (name not in TEXTS or name in CONTAINERS | {"find", "fd", "ip", "gcloud", "aws"})
        if runs and (why := why_run([Word(inner), *words[number + 1 :]], at - number)):
            return why
    return None


def _other(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a program that is not known to run any."""
    word, earlier = words[at], words[at - 1].literal or ""
    why = None
    if name == "ssh" and at > (_start("ssh", words) or 0):
        why = "is handed to ssh, whose host would run it"
    elif name == "git" and any(one.literal in GIT_RUNS for one in words[1:at]):
        shown = "config" in [one.literal for one in words[1:at]] and earlier in GIT_SHOWN
        return None if shown else "is handed to git, which may run it"
    elif (name in CONTAINERS and _container_command(words, at)) or (
        re.fullmatch(r"--?(exec|execdir|ok|okdir|x)", earlier) and not word.before
    ):
        why = f"would name the command that {name} runs"
    elif name in OPTIONS_RUN:
        why = _option_runs(name, words, at)
    if why is None and name not in TEXTS and not word.is_plain:
        why = f"stands in a longer text, which {name or 'a command'} may run"
    return why


def _option_runs(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a program that has options which run programs."""
    word, earlier = words[at], words[at - 1].literal or ""
    if name in ("find", "fd"):
        # A single word of its expression runs nothing.
        return None
    tar = name in TAR and bool(re.fullmatch(r"-?\w*[fCTX]", earlier))
    held = tar or (earlier in VALUED.get(name, ()) and (name, earlier) not in RUN_PAIRS)
    runs = re.fullmatch(RUN_OPTION, earlier) and not held
    if runs or (name, earlier) in RUN_PAIRS or re.match(rf"({RUN_OPTION})(=|\s)|-o\w", word.before):
        return f"is handed to {name} {earlier if runs or not word.before else word.before}, which may run it"
    if held:
        return None
    ended = any(one.literal == "--" for one in words[1:at])
    if word.before or ended or (name in VALUED and earlier in VALUED[name]):
        return None
    return f"could be an option of {name}, which runs programs"


def _container_command(words: Sequence[Word], at: int) -> bool:
    """Tell whether a word is the first of what a container shall run: ``docker exec web …``."""
    literals = [one.literal for one in words[1:at]]
    if "exec" not in literals:
        return words[at - 1].literal == "--entrypoint"
    if literals and literals[-1] == "--":
        return True
    operands = [one for one in words[1 + literals.index("exec") + 1 : at] if not one.is_option]
    return bool(operands) and "--" not in literals and not words[at - 1].is_option


def _start(name: str, words: Sequence[Word]) -> int | None:
    """Return which word of a program is the command that it runs, or the host.

    It is the number of words where none is, and None where an option is not known that may have a value.
    """
    wrapper = WRAPPERS.get(name) or Wrapper(LETTERS, VALUED.get(name, frozenset()))
    operands, number = wrapper.operands, 1
    short, *long = wrapper.flags.split(" ") if not wrapper.flags.startswith("--") else ("", *wrapper.flags.split(" "))
    while number < len(words):
        literal = words[number].literal
        if literal in wrapper.values:
            number += 1
        elif literal == "--":
            return number + 1 + operands
        elif words[number].is_option:
            option = words[number].begins
            attached = (
                option.partition("=")[0] in {*wrapper.values, *long} if "=" in option else option[:2] in wrapper.values
            )
            if not attached and option not in long and not (option[1:].isalnum() and set(option[1:]) <= set(short)):
                numeric = name in ("nice", "timeout", "xargs", "chrt") and re.fullmatch(r"-\w?\d*", option)
                if not numeric:
                    return None
        elif name in ASSIGNING and _assigned(words[number]):
            pass
        elif operands:
            operands -= 1
        else:
            return number
        number += 1
    return len(words)


def _wrapped(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a program that runs another one."""
    if name == "command" and words[1].literal in ("-v", "-V"):
        return None
    word, earlier = words[at], words[at - 1].literal or ""
    code = r"-\w*[Sc]|--(split-string|command)"
    if name in ("env", "flock", "xargs") and (re.fullmatch(code, earlier) or re.match(rf"({code})=?", word.before)):
        return f"is handed to {name} {earlier or word.before}, which would run it"
    start = _start(name, words)
    if start is None:
        return f"stands behind an option of {name} that is not known here"
    if at >= start:
        return why_run(words[start:], at - start)
    if name in ASSIGNING and (assigned := _assigned(word)):
        return special_variable(assigned)
    first = name in ("timeout", "chroot", "taskset", "gosu")
    held = (earlier in WRAPPERS[name].values or word.before or first) and word.is_plain
    return None if held else f"could be an option of {name}, which runs programs"


def _assigned(word: Word) -> str | None:
    match = re.match(r"([A-Za-z_]\w*)=", word.begins)
    return match[1] if match else None


def _program(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of a program that runs some of its words."""
    known, run = PROGRAMS[name], f"is handed to {name}, which would run it"
    number, coded = 1, False
    while number < len(words):
        word = words[number]
        if word.literal is not None and word.is_option and _is_code(word, known):
            coded, length = True, 2
            while (
                name in SHELLS
                and number + 1 < at
                and (words[number + 1].is_option or words[number + 1].literal == "--")
            ):
                number += 1  # bash -c -e SCRIPT
        elif word.literal in known.values:
            length = 2
        elif name in JQ_NAMES and word.literal in ("--arg", "--argjson", "--slurpfile", "--rawfile"):
            length = 3
        elif word.is_option:
            length = 1
        else:
            number += word.literal == "--"
            break
        if at < number + length:
            return run if coded or not _option_is_data(words, number, at, known) else None
        number += length
    if known.rest or (known.operand and not coded and at <= number) or _opens(name, words, at):
        return run
    return _after(name, known, words, at)


def _option_is_data(words: Sequence[Word], number: int, at: int, known: Program) -> bool:
    """Tell whether a word is the value of an option that is no code."""
    option, word = words[number], words[at]
    if at == number:  # -pPASSWORD, --password=PASSWORD
        held = option.before[:2] in known.values or option.before.partition("=")[0] in known.values
        return held and not _is_code(option, known)
    last = number + (2 if option.literal in ("--arg", "--argjson", "--slurpfile", "--rawfile") else 1)
    return at == last and option.literal not in known.code and not _is_code(option, known) and word.is_plain


def _opens(name: str, words: Sequence[Word], at: int) -> bool:
    """Tell whether a program would open an operand as what may be a command, or run it as a module."""
    if name == "perl":
        return any(re.match(r"-\w*[npi]", one.literal or "") for one in words[1:at])
    module = next((words[number + 1].literal for number in range(1, at - 1) if words[number].literal == "-m"), None)
    return name.startswith("python") and module is not None and module not in PYTHON_MODULES


def _after(name: str, known: Program, words: Sequence[Word], at: int) -> str | None:
    """Judge an operand after the code: it is data for that."""
    word = words[at]
    if _is_code(words[at - 1], known) or (known.anywhere and _is_code(word, known)):
        return f"is handed to {name}, which would run it"
    ended = any(one.literal == "--" for one in words[:at])
    if known.anywhere and not word.before and not ended and words[at - 1].literal not in known.values:
        return f"could be an option of {name}, which runs programs"
    return None


def _is_code(word: Word, known: Program) -> bool:
    """Tell whether a word is an option whose value is code, or has that in it: ``-euc``, ``--eval=…``, ``--expr``."""
    text = word.begins
    long = text.partition("=")[0]
    if text.startswith("--"):
        return len(long) > 2 and any(one.startswith(long) for one in known.code)  # noqa: PLR2004 -- the hyphens
    return text in known.code or (_bundled(text, known) and text[:2] not in known.values)


def _bundled(text: str, known: Program) -> bool:
    short = {one[1] for one in known.code if len(one) == 2}  # noqa: PLR2004 -- a hyphen and a letter
    return bool(re.match(r"-\w\w", text)) and any(letter in short for letter in text[1:])


def _builtin(name: str, words: Sequence[Word], at: int) -> str | None:
    """Judge a word of one of bash's own commands."""
    earlier = words[at - 1].literal or ""
    if name in PLAIN:
        return "would name a variable" if name == "wait" and re.fullmatch(r"-\w*p", earlier) else None
    if name == "printf":
        return _printf(words, at)
    if name in ("test", "["):
        return _test(words, at)
    if name == "set":
        ended = any(one.literal == "--" for one in words[1:at])
        return None if ended else "could be an option of set"
    if name in ("read", "mapfile", "readarray"):
        held = at > 1 and re.fullmatch(r"-[a-z]*[ptnNdui]" if name == "read" else r"-[t]*[nOsudc]", earlier)
        return None if held else f"would name a variable for {name}"
    return f"is handed to {name}, which would parse it"


def _printf(words: Sequence[Word], at: int) -> str | None:
    first = words[1]
    named = first.begins.startswith("-v")
    target = 1 + (first.literal == "-v")
    if named and at == target:
        return "would name a variable for printf"
    if named and first.literal == "-v" and words[target].literal is None:
        return "goes into a variable whose name is not told here"
    shape = target + 1 if named else 1
    shape += shape < len(words) and words[shape].literal == "--"
    rest = words[shape + 1 :]
    if at <= shape:
        # It could begin with -v, or have %n in it: printf would give a value to what its other words name.
        safe = not any(one.holds for one in rest) and (words[at].before or not rest or shape > 1)
        return None if safe else "stands in the format of printf"
    literal = words[shape].literal
    known = words[shape].before + words[shape].after if literal is None else literal
    if words[shape].holds or re.search(r"%[-+ #0-9.*']*n", known.replace("%%", "")):
        return "would name a variable for printf"
    return None


def _test(words: Sequence[Word], at: int) -> str | None:
    """Judge ``[``: its operators have to be the script's own, for ``-v NAME`` computes what a name's brackets hold."""
    inner = [one.literal for one in words[1 : len(words) - (words[0].literal == "[")]]
    before = inner[at - 2] if at > 1 else None
    after = inner[at] if at < len(inner) else None
    if before in ("-v", "-R"):
        return "would name a variable"
    alone = (at == 1 or before in JOINS) and (at == len(inner) or after in JOINS)
    if alone or after in BINARY or before in BINARY or before in UNARY:
        return None
    return "stands where test looks for what it shall do"
