//! The command lines of systemd's units: specifiers, prefixes, variables.

use super::{
    unit_words::{Line, specified, unit_words},
    words::quoted,
};

/// What is run, and how it differs from what systemd would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    words: Vec<String>,
    /// Its failure is none.
    may_fail: bool,
    /// Nothing is put into its words.
    is_literal: bool,
    /// What the host does otherwise.
    pub(super) differs: Vec<&'static str>,
}

impl CommandLine {
    /// Reads what stands after `ExecStart=` and its like, in a unit of this name.
    pub(super) fn parse(text: &str, unit: &str) -> Result<Self, String> {
        let line = text.trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let prefixes = text.strip_suffix(line).unwrap_or_default();
        let words = unit_words(line, Line::Command)?.into_iter();
        let words = words.map(|word| specified(&word, unit));
        let mut words = words.collect::<Result<Vec<String>, String>>()?;
        let mut differs = Vec::new();
        if prefixes.contains('@') && words.len() > 1 {
            words.remove(1);
            differs.push("the program is called by its own name");
        }
        if prefixes.contains(['+', '!']) {
            differs.push("it runs as the target's `user`, with no more rights");
        }
        if words.is_empty() {
            return Err("it names no program".to_owned());
        }
        Ok(Self {
            words,
            may_fail: prefixes.contains('-'),
            is_literal: prefixes.contains(':'),
            differs,
        })
    }

    fn has_variables(&self) -> bool {
        !self.is_literal && self.words.iter().any(|word| has_variable(word))
    }

    /// As a line of a shell.
    fn shell(&self) -> String {
        let words = self.words.iter().map(|word| match self.is_literal {
            true => quoted(word),
            false => shell_word(word),
        });
        words.collect::<Vec<String>>().join(" ")
    }

    /// The arguments of one command, by a shell where the environment is put into them.
    pub(super) fn run(mut self) -> (Vec<String>, Vec<&'static str>) {
        if self.is_literal {
            return (self.words, self.differs);
        }
        if !self.has_variables() {
            let words = self.words.iter().map(|word| word.replace("$$", "$"));
            return (words.collect(), self.differs);
        }
        self.differs
            .push("by `/bin/sh -c`, which puts the variables in");
        let line = format!("exec {}", self.shell());
        (vec!["/bin/sh".into(), "-c".into(), line], self.differs)
    }

    /// The arguments of all of them, one after the other until one fails.
    pub(super) fn run_all(mut all: Vec<Self>) -> (Vec<String>, Vec<&'static str>) {
        if !Self::need_a_shell(&all)
            && let Some(one) = all.pop()
        {
            return one.run();
        }
        let mut differs: Vec<&'static str> = Vec::new();
        for one in &all {
            differs.extend(&one.differs);
        }
        differs.push("one after the other by `/bin/sh -c`");
        let lines = all.iter().map(|one| match one.may_fail {
            true => format!("{{ {} || true; }}", one.shell()),
            false => one.shell(),
        });
        let line = lines.collect::<Vec<_>>().join(" && ");
        (vec!["/bin/sh".into(), "-c".into(), line], differs)
    }

    /// Whether only a shell that stays can run them: more than one, or one whose failure is none.
    pub(super) fn need_a_shell(all: &[Self]) -> bool {
        !matches!(all, [one] if !one.may_fail)
    }

    /// The signal that it sends to the main process, where that is all that it does.
    pub(super) fn sent_signal(&self) -> Option<String> {
        let (program, arguments) = self.words.split_first()?;
        let is_kill = program.rsplit('/').next() == Some("kill");
        let is_main = |word: &String| word == "$MAINPID" || word == "${MAINPID}";
        let (main, options) = arguments.split_last()?;
        if !is_kill || !is_main(main) {
            return None;
        }
        let name = match options {
            [] => "TERM",
            [option] => option
                .strip_prefix("--signal=")
                .or(option.strip_prefix('-'))?,
            [option, name] if option == "-s" || option == "--signal" => name.as_str(),
            _ => return None,
        };
        let name = match name {
            "1" => "HUP",
            "10" => "USR1",
            "12" => "USR2",
            name => name.strip_prefix("SIG").unwrap_or(name),
        };
        Some(format!("SIG{name}"))
    }

    /// Whether it wants to know the main process.
    pub(super) fn names_main_process(&self) -> bool {
        self.words.iter().any(|word| word.contains("MAINPID"))
    }
}

/// Whether systemd puts variables into a word: `$NAME` where it is all of it, and `${NAME}` wherever it stands. What else has
/// a `$`, as a script of `sh -c`, is passed on as it is.
fn has_variable(word: &str) -> bool {
    is_variable(word) || word.replace("$$", "").contains("${")
}

fn is_variable(word: &str) -> bool {
    let name = word.strip_prefix('$').unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A word for a shell, in which `$NAME` alone may be several words and `${NAME}` is one, as systemd has it.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.contains('$') {
        return quoted(word);
    }
    if is_variable(word) {
        return word.to_owned();
    }
    let mut text = String::new();
    let marked = word.replace("$$", "\u{0}");
    let mut characters = marked.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' | '`' => text.extend(['\\', character]),
            '$' if characters.peek() != Some(&'{') => text.push_str("\\$"),
            '\u{0}' => text.push_str("\\$"),
            _ => text.push(character),
        }
    }
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_run_as_systemd_would_run_it() {
        for (text, expected, differs) in [
            ("/bin/x --a 'b c'", &["/bin/x", "--a", "b c"][..], 0),
            ("@/bin/x other --a", &["/bin/x", "--a"][..], 1),
            ("+/bin/x", &["/bin/x"][..], 1),
            (r#"/bin/x \x41 "a\nb""#, &["/bin/x", "A", "a\nb"][..], 0),
            ("/bin/x %p %%", &["/bin/x", "web", "%"][..], 0),
            (
                "/bin/x $OPTS \"a ${B}\" $$1",
                &["/bin/sh", "-c", "exec /bin/x $OPTS \"a ${B}\" \"\\$1\""][..],
                1,
            ),
            (
                "/bin/sh -c 'x=1; echo $x $$y'",
                &["/bin/sh", "-c", "x=1; echo $x $y"][..],
                0,
            ),
            (
                "/bin/sh -c 'echo ${A} $x'",
                &["/bin/sh", "-c", "exec /bin/sh -c \"echo ${A} \\$x\""][..],
                1,
            ),
            (":/bin/x $A ${B}", &["/bin/x", "$A", "${B}"][..], 0),
        ] {
            let (run, found) = CommandLine::parse(text, "web.service").unwrap().run();
            assert_eq!(run, expected, "{text}");
            assert_eq!(found.len(), differs, "{text}: {found:?}");
        }
        for bad in ["", "-", "/bin/x 'a", "/bin/x %i", "/bin/x %h"] {
            assert!(CommandLine::parse(bad, "web.service").is_err(), "{bad}");
        }
        let one = |text| CommandLine::parse(text, "web.service").unwrap();
        let (run, _) = CommandLine::run_all(vec![one("-/bin/a 'b c'"), one("/bin/d")]);
        assert_eq!(run[2], "{ /bin/a 'b c' || true; } && /bin/d");
        let (run, _) = CommandLine::run_all(vec![one("/bin/d")]);
        assert_eq!(run, ["/bin/d"]);
        let (run, _) = CommandLine::run_all(vec![one("-/bin/d")]);
        assert_eq!(run[2], "{ /bin/d || true; }");
    }

    #[test]
    fn a_reload_by_a_signal_is_seen() {
        for (text, expected) in [
            ("/bin/kill -HUP $MAINPID", Some("SIGHUP")),
            ("/usr/bin/kill -s USR1 ${MAINPID}", Some("SIGUSR1")),
            ("kill -SIGUSR2 $MAINPID", Some("SIGUSR2")),
            ("/bin/kill -1 $MAINPID", Some("SIGHUP")),
            ("/bin/x --reload $MAINPID", None),
            ("/bin/kill -HUP 7", None),
        ] {
            let line = CommandLine::parse(text, "web.service").unwrap();
            assert_eq!(line.sent_signal().as_deref(), expected, "{text}");
        }
    }
}
