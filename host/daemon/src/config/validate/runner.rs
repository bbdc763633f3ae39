//! Programs that run others, or what is written in a script: what a plugin gives to one of these may be run.
//!
//! Known are the usual ones, for a warning. Nobody can list them all.

/// Programs whose first argument is a script, or the file of one, and which take one behind an option.
const INTERPRETERS: [&str; 20] = [
    "ash", "awk", "bash", "dash", "fish", "gawk", "gdb", "ksh", "lua", "mawk", "node", "perl",
    "php", "python", "pwsh", "ruby", "sh", "tclsh", "tcsh", "zsh",
];

/// Programs that have a shell put together what follows after so many words of their own.
const SHELLS: [(&str, usize); 3] = [("parallel", 0), ("ssh", 1), ("watch", 0)];

/// Programs that run the program that follows after so many words of their own, and their options that take a value.
const WRAPPERS: [(&str, usize, &[&str]); 24] = [
    ("busybox", 0, &[]),
    ("chroot", 1, &[]),
    ("chrt", 1, &[]),
    ("doas", 0, &["-C", "-u"]),
    ("env", 0, &["-C", "-u", "--chdir", "--unset"]),
    ("flock", 1, &["-E", "-w", "--timeout"]),
    ("ionice", 0, &["-c", "-n"]),
    ("nice", 0, &["-n", "--adjustment"]),
    ("nohup", 0, &[]),
    ("nsenter", 0, &["-t", "--target"]),
    ("prlimit", 0, &[]),
    ("runuser", 0, &["-g", "-G", "-u"]),
    ("setpriv", 0, &["--regid", "--reuid"]),
    ("setsid", 0, &[]),
    ("stdbuf", 0, &["-e", "-i", "-o"]),
    ("strace", 0, &["-e", "-o", "-p"]),
    ("su", 1, &["-g", "-s"]),
    ("sudo", 0, &["-C", "-D", "-g", "-h", "-p", "-R", "-T", "-u"]),
    ("systemd-run", 0, &["-p", "-u", "--property", "--unit"]),
    ("taskset", 1, &[]),
    ("time", 0, &["-f", "-o"]),
    ("timeout", 1, &["-k", "-s", "--kill-after", "--signal"]),
    ("unshare", 0, &[]),
    (
        "xargs",
        0,
        &["-a", "-d", "-E", "-I", "-L", "-n", "-P", "-s"],
    ),
];

/// Behind these words of it, find(1) runs what follows.
const OF_FIND: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];

/// Whether what stands in place of a placeholder is a program, or a part of a script.
pub(super) fn runs(arguments: &[String], written: &str) -> bool {
    let Some((program, rest)) = arguments.split_first() else {
        return false;
    };
    if program.contains(written) {
        return true;
    }
    let file = program.rsplit('/').next().unwrap_or_default();
    // `python3.11`
    let name = file.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    if INTERPRETERS.contains(&name) {
        return is_script(rest, written);
    }
    if let Some((_, own)) = SHELLS.iter().find(|(shell, _)| *shell == name) {
        let words = rest.iter().filter(|argument| !argument.starts_with('-'));
        return words.skip(*own).any(|word| word.contains(written));
    }
    if name == "find" {
        return rest.windows(2).any(|pair| match pair {
            [flag, run] => OF_FIND.contains(&flag.as_str()) && run.contains(written),
            _ => false,
        });
    }
    let wrapper = WRAPPERS.iter().find(|(wrapper, ..)| *wrapper == name);
    let Some((_, own, valued)) = wrapper else {
        return false;
    };
    let (mut left, mut words) = (*own, rest);
    while let Some((word, behind)) = words.split_first() {
        words = behind;
        if valued.contains(&word.as_str()) {
            words = behind.split_first().map_or(behind, |(_, behind)| behind);
            continue;
        }
        if is_command_line(name, word) {
            let next = behind.first();
            return word.contains(written) || next.is_some_and(|line| line.contains(written));
        }
        // An option, or a variable of what is run.
        if word.starts_with('-') || (name == "env" && word.contains('=')) {
            continue;
        }
        if left > 0 {
            left -= 1;
            continue;
        }
        let place = rest.len() - behind.len() - 1;
        return runs(rest.get(place..).unwrap_or_default(), written);
    }
    false
}

/// Whether what follows this option of a wrapper is taken apart by a shell, or by the wrapper itself.
fn is_command_line(name: &str, option: &str) -> bool {
    match name {
        "env" => option == "-S" || option.starts_with("--split-string"),
        "flock" | "runuser" | "su" => option == "-c" || option.starts_with("--command"),
        _ => false,
    }
}

/// Whether an interpreter takes it for its script: it is the first word, or stands behind an option that says so.
fn is_script(arguments: &[String], written: &str) -> bool {
    let is_behind_option = arguments.windows(2).any(|pair| match pair {
        [flag, script] => {
            let is_short = flag.starts_with('-') && !flag.starts_with("--");
            is_short && flag.ends_with(['c', 'e']) && script.contains(written)
        }
        _ => false,
    });
    let first = arguments
        .iter()
        .position(|argument| !argument.starts_with('-'));
    let until_first = first.map_or(arguments, |first| {
        arguments.get(..=first).unwrap_or_default()
    });
    is_behind_option
        || until_first
            .iter()
            .any(|argument| argument.contains(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_gives_to_be_run_is_told_from_what_it_gives_as_an_argument() {
        for (line, expected) in [
            ("sh -c {p}", true),
            ("bash -x -c {p}", true),
            ("sh {p}", true),
            ("sh clean.sh {p}", false),
            ("sh -c echo sh {p}", false),
            ("/usr/bin/python3.11 -c {p}", true),
            ("python3 -m {p}", true),
            ("node --eval={p}", true),
            ("awk {p} file", true),
            ("awk /x/ {p}", false),
            ("gdb -ex {p}", true),
            ("env {p}", true),
            ("env A=1 B=2 {p}", true),
            ("env A={p} true", false),
            ("env -u A redis-cli {p}", false),
            ("env -S {p}", true),
            ("nice {p}", true),
            ("nice -n 5 {p}", true),
            ("nice -n {p} backup", false),
            ("nice -n 5 redis-cli del {p}", false),
            ("timeout 5 {p}", true),
            ("timeout -k 1 5 {p}", true),
            ("timeout {p} redis-cli ping", false),
            ("timeout 5 redis-cli del {p}", false),
            ("chroot /x {p}", true),
            ("chroot {p} true", false),
            ("flock /l {p}", true),
            ("flock /l -c {p}", true),
            ("runuser -u x -- {p}", true),
            ("su -c {p} x", true),
            ("su x -c {p}", true),
            ("sudo -u {p} true", false),
            ("sudo -u x sh -c {p}", true),
            ("sudo nice -n 5 timeout 3 {p}", true),
            ("systemd-run {p}", true),
            ("systemctl restart {p}", false),
            ("xargs -n 1 {p}", true),
            ("ionice -c 2 {p}", true),
            ("taskset -c 0 {p}", true),
            ("python3 report.py --name {p}", false),
            ("ssh host {p}", true),
            ("ssh host systemctl restart {p}", true),
            ("ssh {p} true", false),
            ("watch {p}", true),
            ("find . -exec {p} ;", true),
            ("find {p} -name x", false),
            ("{p} x", true),
            ("psql -c {p}", false),
            ("true", false),
            ("env", false),
        ] {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(runs(&arguments, "{p}"), expected, "{line}");
        }
        assert!(!runs(&[], "{p}"));
    }
}
