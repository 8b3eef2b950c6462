"""The three shells' scripts. They hold names and flags; a value is looked for by the program that is being typed."""

from collections.abc import Iterable

from hkcli.cli.completed import FILE, Completed, Flag

MADE = "Completion of heroku and hkcli for {}. Made from the command table by `make completions`; changes get lost."
PROGRAMS = ("heroku", "hkcli")


def quoted(text: str) -> str:
    """In single quotes, for all three shells: a quote in the text becomes a typographic one."""
    return "'" + text.replace("\\", "").replace("'", "’") + "'"


def value_flags(commands: "list[Completed]") -> "dict[str, Flag]":
    """Every flag that takes a value, under its long and its short name; they mean the same in all commands."""
    found: dict[str, Flag] = {}
    for command in commands:
        for flag in command.flags:
            if flag.takes_value:
                found.setdefault(flag.long, flag)
    return dict(sorted(found.items()))


# --- bash

BASH = r"""# {made}
# Works without the bash-completion package, and where the colon splits words.

_heroku_values() {{  # KIND WORDS...: values as the program knows them
  "$_heroku_program" --complete "$@" 2>/dev/null </dev/null
}}

_heroku() {{
  local _heroku_program="${{COMP_WORDS[0]}}" line="${{COMP_LINE:0:COMP_POINT}}"
  local -a words
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local last=$(( ${{#words[@]}} - 1 ))
  local cur="${{words[last]}}" prev="${{words[last-1]}}" name="${{words[1]}}"
  local flags="" kind="" choices="" remote="" positional=0 index word value
  if [[ $cur == --*=* ]]; then
    prev="${{cur%%=*}}" cur="${{cur#*=}}"
  fi

  if (( last == 1 )); then
    _heroku_reply "$cur" <<< "$_heroku_names"
    return
  fi
  case "$name" in
{commands}
  esac
  for (( index = 2; index < last; index++ )); do
    word="${{words[index]}}"
    case "$word" in
      {valued}) (( index++ )) ;;
      -*) ;;
      *) positional=$(( positional + 1 )) ;;
    esac
  done
  if [[ -n $remote ]] && (( positional > 0 )); then
    _heroku_files "$cur"
    return
  fi
  case "$prev" in
{options}
    *)
      if [[ $cur == -* ]]; then
        _heroku_reply "$cur" <<< "${{flags// /$'\n'}}"
        return
      fi
      ;;
  esac
  if [[ -n $choices ]]; then
    _heroku_reply "$cur" <<< "${{choices// /$'\n'}}"
  elif [[ $kind == command ]]; then
    _heroku_reply "$cur" <<< "$_heroku_names"
  elif [[ $kind == file ]]; then
    _heroku_files "$cur"
  elif [[ -n $kind && $kind != other ]]; then
    _heroku_reply "$cur" < <(_heroku_values "$kind" "${{words[@]:2}}")
  fi
}}

_heroku_files() {{  # CURRENT
  local value
  COMPREPLY=()
  while IFS= read -r value; do
    COMPREPLY+=("$value")
  done < <(compgen -f -- "$1")
  compopt -o filenames 2>/dev/null
  return 0
}}

_heroku_reply() {{  # CURRENT, candidates on stdin; what readline has before a word break already is cut off
  local cur="$1" prefix="" value
  case "$COMP_WORDBREAKS" in
    *:*) prefix="${{cur%"${{cur##*[:=]}}"}}" ;;
  esac
  COMPREPLY=()
  while IFS= read -r value; do
    [[ -n $value && $value == "$cur"* ]] && COMPREPLY+=("${{value#"$prefix"}}")
  done
  [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *[=:] ]] && compopt -o nospace 2>/dev/null
  return 0
}}

_heroku_names='{names}'

complete -F _heroku {programs}
"""


def bash_script(commands: "list[Completed]") -> str:
    valued = value_flags(commands)
    return BASH.format(
        made=MADE.format("bash"),
        names="\n".join(command.name for command in commands),
        commands="\n".join(map(bash_command, commands)),
        valued="|".join(words_of(valued.values())),
        options="\n".join(map(bash_option, valued.values())),
        programs=" ".join(PROGRAMS),
    )


def words_of(flags: "Iterable[Flag]") -> list[str]:
    return [word for flag in flags for word in (flag.short, flag.long) if word]


def bash_command(command: Completed) -> str:
    flags = " ".join(flag.long for flag in command.flags)
    kind = f" kind={command.kind}" if command.kind else ""
    remote = " remote=yes" if command.has_remote_words else ""
    return f'    {command.name}) flags="{flags}"{kind}{remote} ;;'


def bash_option(flag: Flag) -> str:
    choices = f' choices="{" ".join(flag.choices)}"' if flag.choices else ""
    return f"    {'|'.join(words_of([flag]))}) kind={flag.kind or 'other'}{choices} ;;"


# --- zsh

ZSH = r"""#compdef {programs}
# {made}

_heroku_values() {{  # KIND: values as the program knows them
  local -a values
  values=(${{(f)"$($words[1] --complete $1 ${{words[3,CURRENT]}} 2>/dev/null </dev/null)"}})
  if [[ ${{#values}} -gt 0 ]]; then
    compadd -Q -S '' -- ${{(M)values:#*=}}
    compadd -- ${{values:#*=}}
  fi
}}

_heroku() {{
  local -a commands flags valued
  local name kind remote word previous=$words[CURRENT-1]
  integer index positional=0
  if [[ $words[CURRENT] == --*=* ]]; then
    previous=${{words[CURRENT]%%=*}}
    compset -P '*='
  fi
  commands=(
{names}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands 'heroku command' commands
    return
  fi
  name=$words[2]
  case $name in
{commands}
  esac
  valued=({valued})
  for (( index = 3; index < CURRENT; index++ )); do
    word=$words[index]
    if (( ${{valued[(Ie)$word]}} )); then
      (( index++ ))
    elif [[ $word != -* ]]; then
      (( positional++ ))
    fi
  done
  if [[ -n $remote ]] && (( positional > 0 )); then
    _files
    return
  fi
  case $previous in
{options}
    *)
      if [[ $words[CURRENT] == -* ]]; then
        _describe -o -t options 'option' flags
        return
      fi
      ;;
  esac
  if [[ $kind == command ]]; then
    _describe -t commands 'heroku command' commands
  elif [[ $kind == file ]]; then
    _files
  elif [[ -n $kind ]]; then
    _heroku_values $kind
  fi
}}

if [[ $funcstack[1] == _heroku ]]; then
  _heroku "$@"
else
  compdef _heroku {programs}
fi
"""


def zsh_script(commands: "list[Completed]") -> str:
    valued = value_flags(commands)
    return ZSH.format(
        made=MADE.format("zsh"),
        programs=" ".join(PROGRAMS),
        names="\n".join(f"    {zsh_entry(command.name, command.summary)}" for command in commands),
        commands="\n".join(map(zsh_command, commands)),
        valued=" ".join(words_of(valued.values())),
        options="\n".join(map(zsh_option, valued.values())),
    )


def zsh_entry(word: str, description: str) -> str:
    escaped = word.replace(":", "\\:")
    return f"'{escaped}:{quoted(description)[1:]}"


def zsh_command(command: Completed) -> str:
    flags = " ".join(zsh_entry(flag.long, flag.help) for flag in command.flags)
    kind = f" kind={command.kind}" if command.kind else ""
    remote = " remote=yes" if command.has_remote_words else ""
    return f"    {command.name}) flags=({flags}){kind}{remote} ;;"


def zsh_option(flag: Flag) -> str:
    words = "|".join(words_of([flag]))
    if flag.choices:
        return f"    {words}) compadd -- {' '.join(flag.choices)}; return ;;"
    return f"    {words}) kind={flag.kind} ;;" if flag.kind else f"    {words}) return ;;"


# --- fish

FISH = r"""# {made}

function __heroku_values -a kind  # values as the program knows them
    set -l words (commandline -opc) (commandline -ct)
    $words[1] --complete $kind $words[3..-1] 2>/dev/null </dev/null
end

function __heroku_is -a kind  # whether the command is one of the rest, and may still have words of ours
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv[2..-1]; or return 1
    test $kind = ours; and return 0
    set -l positional 0
    set -l skip no
    for word in $words[3..-1]
        if test $skip = yes
            set skip no
        else if contains -- $word {valued}
            set skip yes
        else if not string match -q -- '-*' $word
            set positional (math $positional + 1)
        end
    end
    test $positional -eq 0
end

function __heroku_wants_word -a kind  # as __heroku_is, where no flag has been begun
    not string match -q -- '-*' (commandline -ct); and __heroku_is $argv
end

function __heroku_is_first
    test (count (commandline -opc)) -eq 1
end

for program in {programs}
    complete -c $program -f
{names}
{flags}
{arguments}
end
"""


def fish_script(commands: "list[Completed]") -> str:
    return FISH.format(
        made=MADE.format("fish"),
        programs=" ".join(PROGRAMS),
        valued=" ".join(words_of(value_flags(commands).values())),
        names="\n".join(
            f"    complete -c $program -n __heroku_is_first -a {quoted(command.name)} -d {quoted(command.summary)}"
            for command in commands
        ),
        flags="\n".join(fish_flag(flag, where) for flag, where in shared_flags(commands)),
        arguments="\n".join(fish_argument(command, commands) for command in commands if command.kind),
    )


def condition(command: Completed) -> str:
    """`remote` where the words after the first are another program's."""
    return "remote" if command.has_remote_words else "ours"


def shared_flags(commands: "list[Completed]") -> "list[tuple[Flag, tuple[str, ...]]]":
    """Each flag once, with the condition and the names of all commands that have it."""
    found: dict[tuple[str, Flag], list[str]] = {}
    for command in commands:
        for flag in command.flags:
            found.setdefault((condition(command), flag), []).append(command.name)
    return [(flag, (kind, *where)) for (kind, flag), where in found.items()]


def fish_flag(flag: Flag, where: tuple[str, ...]) -> str:
    short = f" -s {flag.short[1:]}" if flag.short else ""
    values = ""
    if flag.choices:
        values = f" -x -a {quoted(' '.join(flag.choices))}"
    elif flag.takes_value:
        values = f" -x -a '(__heroku_values {flag.kind})'" if flag.kind else " -x"
        values = " -r -F" if flag.kind == FILE else values
    test = quoted(f"__heroku_is {' '.join(where)}")
    return f"    complete -c $program -n {test} -l {flag.long[2:]}{short}{values} -d {quoted(flag.help)}"


def fish_argument(command: Completed, commands: "list[Completed]") -> str:
    test = quoted(f"__heroku_wants_word {condition(command)} {command.name}")
    if command.kind == FILE:
        return f"    complete -c $program -n {test} -F"
    if command.kind == "command":
        return f"    complete -c $program -n {test} -a {quoted(' '.join(each.name for each in commands))}"
    return f"    complete -c $program -n {test} -a '(__heroku_values {command.kind})'"
