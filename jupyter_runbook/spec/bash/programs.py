"""Which programs run what they are given, as far as that is known: tables for `jupyter_runbook.spec.bash.commands`.

bash's own commands and variables are those of its manual ("Shell Builtin Commands", "Shell Variables").
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ASSIGNING",
    "BINARY",
    "BUILTINS",
    "CODED",
    "COMPUTED",
    "CONTAINERS",
    "COUNT_WORDS",
    "ENVIRONMENTS",
    "GIT_RUNS",
    "GIT_SHOWN",
    "JOINS",
    "JQ_NAMES",
    "LETTERS",
    "NUMBERS",
    "OPTIONS_RUN",
    "PLAIN",
    "PROGRAMS",
    "PYTHON_MODULES",
    "RUN",
    "RUNNERS",
    "RUN_OPTION",
    "RUN_PAIRS",
    "SHELLS",
    "SILENT",
    "STDIN",
    "TAR",
    "TEXTS",
    "UNARY",
    "VALUED",
    "WRAPPERS",
    "Program",
    "Wrapper",
]


@dataclass(frozen=True)
class Program:
    """A program that runs what some of its words say.

    Parameters
    ----------
    code
        The options whose value is code.
    values
        The options whose value is neither code nor an operand.
    operand
        Whether its first operand is code, or the file of it.
    rest
        Whether all that follows is, too.
    anywhere
        Whether it takes options after operands.
    """

    code: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    operand: bool = True
    rest: bool = False
    anywhere: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: The shells: what ``-c`` hands them is a script, and what they read is one.
SHELLS = _words("sh bash dash ash ksh mksh zsh fish csh tcsh rbash busybox toybox pwsh powershell elvish nu xonsh")
_SHELL = Program(_words("-c --command --rcfile --init-file"), _words("-o -O +o +O"))
_ALL_CODE = Program(rest=True)
_DATABASE = Program(
    _words("-c -e -f -o -L --command --execute --file --eval --output --log-file --tee --pager"),
    _words("-h -p -P -u -U -d -D -n -a --host --port --user --username --password --dbname --database"),
    operand=False,
    anywhere=True,
)
_AWK = Program(_words("-f -e -i -l --file --source --include --load"), _words("-v -F --assign --field-separator"))
_SED = Program(_words("-e -f --expression --file"), _words("-l --line-length"), anywhere=True)
_JQ = Program(_words("-f -L --from-file"), _words("--indent"))
_NODE = Program(_words("-e -p -r --eval --print --require --import"), anywhere=True)
_SU = Program(_words("-c -s --command --shell --session-command"), _words("-u -g -G -w"), operand=False, anywhere=True)
_ANSIBLE = Program(
    _words("-a -e -m -M --args --extra-vars --module-name"), _words("-i -u -b -l -f -c -t"), operand=False
)
_PYTHON = Program(_words("-c -m"), _words("-W -X"))
_OTHER = Program(_words("-e -c -l -f"))
PROGRAMS = {
    **dict.fromkeys(SHELLS, _SHELL),
    **dict.fromkeys(_words("python python2 python3 pypy3 ipython"), _PYTHON),
    **dict.fromkeys(_words("perl raku"), Program(_words("-e -E -M -m -I -x -n -p -i"), anywhere=True)),
    **dict.fromkeys(_words("ansible ansible-playbook"), _ANSIBLE),
    **dict.fromkeys(_words("ruby jruby"), Program(_words("-e -r -I -C"), anywhere=True)),
    **dict.fromkeys(_words("node nodejs deno bun"), _NODE),
    "php": Program(_words("-r -f -B -R -F -E -d"), _words("-c")),
    **dict.fromkeys(_words("lua luajit tclsh wish expect guile Rscript R osascript"), _OTHER),
    **dict.fromkeys(_words("awk gawk mawk nawk"), _AWK),
    **dict.fromkeys(_words("sed gsed"), _SED),
    **dict.fromkeys(_words("jq yq gojq"), _JQ),
    **dict.fromkeys(_words("psql mysql mariadb mongosh redis-cli"), _DATABASE),
    **dict.fromkeys(_words("npm yarn pnpm"), Program(_words("-c --call"), operand=False)),
    **dict.fromkeys(_words("su runuser sg newgrp"), _SU),
    **dict.fromkeys(
        _words(
            "bc dc m4 gdb lldb sqlite3 make gmake ninja just vim vi ex ed emacs nano less more man screen tmux at batch"
            " crontab parallel watch xterm script entr visudo npx"
        ),
        _ALL_CODE,
    ),
}


@dataclass(frozen=True)
class Wrapper:
    """A program that runs another one.

    Parameters
    ----------
    flags
        Its options without a value: the letters of the short ones, then the long ones.
    values
        Its options with a value.
    operands
        How many operands come before the name of the other one.
    """

    flags: str = ""
    values: frozenset[str] = frozenset()
    operands: int = 0


#: Of these every option is known: behind another one, nobody can tell the program's name from an option's value.
WRAPPERS = {
    "sudo": Wrapper(
        "AbEHiKknPSsv --login --preserve-env --non-interactive --stdin --set-home --shell --background",
        _words("-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir"),
    ),
    "doas": Wrapper("ns", _words("-u -C")),
    "env": Wrapper("i0v --ignore-environment --null", _words("-u -C --unset --chdir")),
    "nohup": Wrapper(),
    "setsid": Wrapper("cfw --ctty --fork --wait"),
    "time": Wrapper("pvaqV --portability --verbose --append --quiet", _words("-f -o --format --output")),
    "nice": Wrapper("", _words("-n --adjustment")),
    "ionice": Wrapper("t --ignore", _words("-c -n -p -P -u --class --classdata")),
    "chrt": Wrapper("abdfirvRo", _words("-T -P -D"), 1),
    "taskset": Wrapper("ac --cpu-list --all-tasks", frozenset(), 1),
    "timeout": Wrapper("v --foreground --preserve-status --verbose", _words("-s -k --signal --kill-after"), 1),
    "stdbuf": Wrapper("", _words("-i -o -e --input --output --error")),
    "chroot": Wrapper("", _words("--userspec --groups"), 1),
    "flock": Wrapper(
        "exsunoFv --exclusive --shared --unlock --nonblock --nb --close --no-fork --verbose",
        _words("-w -E --timeout --wait --conflict-exit-code"),
        1,
    ),
    "unshare": Wrapper("muipnUrfCT --mount --uts --ipc --pid --net --user --fork --map-root-user --mount-proc"),
    "nsenter": Wrapper("amuinpUCFr --all --mount --uts --ipc --net --pid --user", _words("-t --target")),
    "systemd-run": Wrapper(
        "PtGqrd --pipe --pty --wait --collect --scope --user --quiet --same-dir --no-block",
        _words("-p --property --unit -u -E --setenv --uid --gid --description --slice --on-active --working-directory"),
    ),
    "strace": Wrapper("cdfiqrtTvxy", _words("-e -o -p -s -u -E -a -O -S")),
    "xargs": Wrapper(
        "0rtpx --null --no-run-if-empty --verbose",
        _words("-I -n -P -d -a -E -L -s --max-args --max-procs --delimiter --arg-file --max-lines"),
    ),
    "setpriv": Wrapper("--no-new-privs --nnp --clear-groups --reset-env", _words("--reuid --regid --groups")),
    "setarch": Wrapper("R --addr-no-randomize", frozenset(), 0),
    "linux32": Wrapper("R"),
    "linux64": Wrapper("R"),
    "prlimit": Wrapper(),
    "choom": Wrapper("", _words("-n -p")),
    "ssh-agent": Wrapper("csDdk"),
    "perf": Wrapper("", frozenset(), 1),
    "pkexec": Wrapper("", _words("--user")),
    "gosu": Wrapper("", frozenset(), 1),
    "su-exec": Wrapper("", frozenset(), 1),
    "start-stop-daemon": Wrapper("SKbmq --start --stop --background --make-pidfile --quiet"),
    "pdsh": Wrapper("", _words("-w -l -u"), 0),
    "exec": Wrapper("cl", _words("-a")),
    "command": Wrapper("pvV"),
    "builtin": Wrapper(),
    "coproc": Wrapper(),
}
# Programs that run what one of their options says, so that a value must not be where they look for one.
OPTIONS_RUN = _words(
    "ssh scp sftp rsync tar gtar bsdtar zip unzip git hg svn wget find fd rg man mail mutt split sort apt apt-get "
    "apt-cache aptitude dpkg rpm yum dnf zypper helm ssh-keygen nc ncat docker-compose"
)
RUN_OPTION = (
    r"-\w*[oecJIFDX]|-TT|--(rsh|exec\w*|checkpoint-action|to-command|use-c\w*|compress-program|config|config-env|filter"
    r"|upload-pack|receive-pack|use-askpass|pre\w*|unzip-command|rsync-path|post-renderer|pipe|eval|sh-exec|open-files\S*)"
)
#: Options whose value a program runs, where others have an option of that name.
RUN_PAIRS = frozenset(
    (program, option)
    for program, options in {
        "ssh": "-J -o -F -I",
        "scp": "-J -o -S",
        "sftp": "-J -o -S",
        "tar": "-I -F",
        "zip": "-TT",
        "rsync": "-e",
        "ssh-keygen": "-D",
        "git": "-c",
        "nc": "-e -c",
        "ncat": "-e -c",
        "wget": "-e",
        "fd": "-x -X",
        "apt": "-o",
        "apt-get": "-o",
        "apt-cache": "-o",
        "rpm": "-E",
    }.items()
    for option in options.split()
)
# All letters, for a program whose options matter by their values alone.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TAR = _words("tar gtar bsdtar")
# What git runs of its words, by its subcommand; and its settings that are only shown.
GIT_RUNS = _words("config foreach filter-branch bisect rebase difftool mergetool grep var credential")
GIT_SHOWN = _words("user.name user.email init.defaultBranch remote.origin.url")
# Options of theirs whose value is no option.
VALUED = {
    "ssh": _words("-B -b -c -D -E -e -i -L -l -m -O -p -Q -R -S -W -w -F -I -J -o"),
    "scp": _words("-P -i -l -c"),
    "sftp": _words("-P -i -l -c"),
    "wget": _words("-O -o -P -U -t -T --output-document"),
    "rsync": _words("--exclude --include --exclude-from --password-file --port"),
    "git": _words("-m -am -b -C --message --branch --git-dir --work-tree --author --grep"),
    "zip": _words("-x -i -P"),
    "unzip": _words("-d -x -P"),
    "mail": _words("-s"),
    "rg": _words("-e -g -t -f"),
    "hg": _words("-m -R"),
    "svn": _words("-m"),
    "split": _words("-l -b -n -a -C"),
    "sort": _words("-k -t -o -S -T"),
    "helm": _words("-n -f --namespace --values --set --version"),
    "apt-get": _words("-t"),
    "ssh-keygen": _words("-t -f -C -N -P -b -m"),
    "nc": _words("-w -p -s"),
    "docker-compose": _words("-f -p"),
}
ASSIGNING = _words("env sudo doas systemd-run")
CONTAINERS = _words("docker podman nerdctl kubectl oc")
JQ_NAMES = _words("jq yq gojq")
#: Commands that print what variables hold.
ENVIRONMENTS = _words("printenv env envsubst declare typeset export set compgen")
# Python's modules whose words are data.
PYTHON_MODULES = _words("venv pip http.server json.tool build zipfile tarfile base64 compileall ensurepip")

# bash's own commands, and those of them whose words are data.
BUILTINS = _words(
    ". : [ alias bg bind break caller cd compgen complete compopt continue declare dirs disown echo enable "
    "eval exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd printf "
    "pushd pwd read readarray readonly return set shift shopt source suspend test times trap true type "
    "typeset ulimit umask unalias unset wait"
)
PLAIN = _words(
    ": break cd continue dirs echo exit false kill logout popd pushd pwd return shift true type ulimit umask wait"
)
# Tests of one value, and of two, that compute nothing and name no variable.
UNARY = _words("-a -b -c -d -e -f -g -h -k -n -o -p -r -s -t -u -w -x -z -G -L -N -O -S")
BINARY = _words("= == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef =~")
JOINS = ("!", "(", ")", "-a", "-o")

# Programs that run nothing of a longer text.
TEXTS = _words(
    "mkdir rmdir rm cp mv ln ls cat touch chmod chown chgrp install stat tee head tail cut tr wc sort uniq "
    "paste join comm diff cmp patch grep egrep fgrep zgrep basename dirname realpath readlink mktemp dd df du "
    "date sleep seq expr sync truncate split base64 base32 md5sum sha1sum sha256sum sha512sum cksum xxd od "
    "hexdump file id getent groups useradd usermod userdel groupadd groupmod groupdel passwd chpasswd "
    "hostname hostnamectl timedatectl localectl loginctl systemctl journalctl logger wall write notify-send "
    "ip ss ping ping6 dig host nslookup nc ncat curl wget http https openssl gpg gzip gunzip xz bzip2 zstd "
    "zip unzip tar rsync scp git apt apt-get apt-cache dpkg yum dnf rpm apk zypper pip pip3 docker "
    "podman nerdctl ctr crictl buildah skopeo kubectl oc helm kustomize minikube kind openstack nova neutron "
    "cinder glance swift aws az gcloud terraform tofu vault consul nomad "
    "ansible-galaxy mount umount lsblk blkid mkfs mkfs.ext4 mkfs.xfs parted sgdisk lvcreate vgcreate pvcreate "
    "sysctl modprobe iptables ip6tables nft ufw firewall-cmd nmcli networkctl resolvectl pg_dump pg_restore "
    "createdb createuser mysqldump mysqladmin column fold fmt pr nl tac rev envsubst "
    "iconv ssh-keygen ssh-keyscan pkill pgrep ps top lsof fuser uname nproc free uptime who w last man-db "
    "locale update-alternatives test-connection"
)
# Programs that read data from their standard input and run nothing of it.
STDIN = _words(
    "cat tee grep egrep fgrep sort uniq wc head tail cut tr paste join comm diff cmp patch column fold fmt pr "
    "nl tac rev base64 base32 md5sum sha1sum sha256sum sha512sum cksum xxd od hexdump gzip gunzip xz bzip2 "
    "zstd openssl gpg dd jq yq gojq sed gsed awk gawk mawk nawk kubectl oc docker podman nerdctl helm passwd "
    "chpasswd logger wall mail nc ncat curl iconv envsubst sponge pv tar split read mapfile readarray true "
    "false : echo printf test [ cd sleep less more git"
)
#: The programs whose ``-c`` is a shell script.
CODED = SHELLS | {"su", "runuser", "sg", "script", "flock"}
# What runs the rest of its line, wherever it stands.
RUNNERS = {*PROGRAMS, *WRAPPERS, "eval", "source", "ssh"}
#: Programs that print nothing but numbers and digests of what they read; and those that do of their words, too.
NUMBERS = _words("wc nproc date md5sum sha1sum sha256sum sha512sum cksum pgrep pidof")
COUNT_WORDS = _words("pgrep pidof")
#: Programs that print nothing.
SILENT = _words(": true false test [ exit return mkdir rm cp mv ln touch chmod chown")

# Variables whose value bash or usual programs run, or compute (bash's manual, "Shell Variables").
RUN = _words(
    "BASH_ENV ENV PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS BASH_CMDS BASH_ALIASES LD_PRELOAD "
    "LD_AUDIT LD_LIBRARY_PATH GIT_SSH GIT_SSH_COMMAND GIT_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_ASKPASS "
    "GIT_PROXY_COMMAND EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE LESS PERL5OPT PERL5DB PERL5LIB "
    "PYTHONSTARTUP PYTHONPATH PYTHONHOME RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS RSYNC_RSH "
    "SUDO_ASKPASS SSH_ASKPASS SUDO_EDITOR BROWSER SHELL MAKEFLAGS TAR_OPTIONS ZIPOPT WGETRC CURL_HOME INPUTRC "
    "TERMINFO FCEDIT"
)
COMPUTED = _words(
    "RANDOM SRANDOM SECONDS LINENO HISTCMD OPTIND BASHPID EPOCHSECONDS BASH_MONOSECONDS BASH_SUBSHELL PPID UID EUID"
)
