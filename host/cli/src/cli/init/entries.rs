//! Sections with keys and values, as supervisord and systemd write them.

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// A line that is indented more than its key goes on with its value; `;` and `#` after white space begin a comment; keys
    /// are the same in capitals.
    Supervisord,
    /// A line that ends with a backslash goes on in the next.
    Systemd,
}

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// From 1; the first where it goes on in others.
    pub(super) line: usize,
    /// In which section, without brackets.
    pub(super) section: String,
    /// Empty where the line is neither a key nor a section.
    pub(super) key: String,
    pub(super) value: String,
}

impl Entry {
    /// Why it says nothing, where it is neither a key nor a section; none where it is a key.
    pub(super) fn why_nothing(&self) -> Option<&'static str> {
        if !self.key.is_empty() {
            return None;
        }
        Some(match self.value.starts_with('[') {
            true => {
                "the head of this section is not closed, so nobody knows what the lines below it are: write `]` behind its name"
            }
            false => "it is neither a key nor a section",
        })
    }

    /// The line, for people.
    pub(super) fn text(&self) -> String {
        match self.key.is_empty() {
            true => self.value.clone(),
            false => format!("{}={}", self.key, self.value.replace('\n', " ")),
        }
    }
}

/// Every line of a file that says something; heads of sections say what the keys below them mean, and are none.
pub(super) fn entries(text: &str, syntax: Syntax) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut goes_on = false;
    // How far the last key is indented; none right after the head of a section.
    let mut indent = None;
    for (number, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let trimmed = raw.trim();
        let is_comment = trimmed.starts_with(['#', ';']);
        if is_comment || (trimmed.is_empty() && !goes_on) {
            continue;
        }
        let line = match syntax {
            Syntax::Supervisord => without_comment(trimmed),
            Syntax::Systemd => trimmed,
        };
        let here = raw.chars().take_while(|c| c.is_whitespace()).count();
        let is_deeper = syntax == Syntax::Supervisord && indent.is_some_and(|key| here > key);
        let (line, ends_open) = match (syntax, line.strip_suffix('\\')) {
            (Syntax::Systemd, Some(before)) if !ends_escaped(before) => (before.trim_end(), true),
            _ => (line, false),
        };
        let continues = goes_on || is_deeper;
        goes_on = ends_open;
        let last = entries.last_mut();
        let last = last.filter(|last| continues && !last.key.is_empty() && last.section == section);
        if let Some(last) = last {
            let between = if syntax == Syntax::Systemd { ' ' } else { '\n' };
            last.value.push(between);
            last.value.push_str(line);
            continue;
        }
        if let Some(head) = head(line, syntax) {
            section = head.trim().to_owned();
            indent = None;
            continue;
        }
        indent = Some(here);
        if line.starts_with('[') {
            // What is below belongs to none that is known, and not to the one before.
            line.clone_into(&mut section);
        }
        let parted = match syntax {
            Syntax::Supervisord => line.split_once(['=', ':']),
            Syntax::Systemd => line.split_once('='),
        };
        let (key, value) = match parted {
            // The name of a section has a colon of its own.
            Some(_) if line.starts_with('[') => ("", line),
            Some((key, value)) if !key.trim().is_empty() => (key.trim(), value.trim()),
            _ => ("", line),
        };
        let key = match syntax {
            Syntax::Supervisord => key.to_lowercase(),
            Syntax::Systemd => key.to_owned(),
        };
        entries.push(Entry {
            line: number + 1,
            section: section.clone(),
            key,
            value: value.to_owned(),
        });
    }
    entries
}

/// Whether a backslash after this is taken by the one before it, and is no end of a line that goes on.
fn ends_escaped(before: &str) -> bool {
    let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\');
    backslashes.count() % 2 == 1
}

/// What stands in the brackets of the head of a section. supervisord does not look at what follows them.
fn head(line: &str, syntax: Syntax) -> Option<&str> {
    let inside = line.strip_prefix('[')?;
    match syntax {
        Syntax::Supervisord => inside.rsplit_once(']').map(|(head, _)| head),
        Syntax::Systemd => inside.strip_suffix(']'),
    }
}

fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    let at = line.char_indices().find(|(_, character)| {
        let begins = before.is_whitespace() && matches!(character, ';' | '#');
        before = *character;
        begins
    });
    let kept = at.and_then(|(at, _)| line.get(..at)).unwrap_or(line);
    kept.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, syntax: Syntax) -> Vec<(usize, String, String, String)> {
        let rows = entries(text, syntax).into_iter();
        rows.map(|row| (row.line, row.section, row.key, row.value))
            .collect()
    }

    fn row(line: usize, section: &str, key: &str, value: &str) -> (usize, String, String, String) {
        (line, section.into(), key.into(), value.into())
    }

    #[test]
    fn what_is_below_a_head_that_is_not_closed_belongs_to_no_section_that_is_known() {
        let text =
            "[program:web]\ncommand=web\n[program:bad\ncommand=bad\n[program:db]\ncommand=db\n";
        assert_eq!(
            read(text, Syntax::Supervisord),
            [
                row(2, "program:web", "command", "web"),
                row(3, "[program:bad", "", "[program:bad"),
                row(4, "[program:bad", "command", "bad"),
                row(6, "program:db", "command", "db"),
            ]
        );
        let why = entries(text, Syntax::Supervisord)[1].why_nothing();
        assert!(why.unwrap().contains("not closed"), "{why:?}");
        let stray = &entries("stray\n", Syntax::Systemd)[0];
        assert!(stray.why_nothing().unwrap().contains("neither"));
    }

    #[test]
    fn the_lines_of_supervisord_are_read() {
        let text = "; a comment\n[program:web]\ncommand = run ;not this\nenvironment=A=1,\n  B=2\n\n# more\nstray\nuser: me\n";
        assert_eq!(
            read(text, Syntax::Supervisord),
            [
                row(3, "program:web", "command", "run"),
                row(4, "program:web", "environment", "A=1,\nB=2"),
                row(8, "program:web", "", "stray"),
                row(9, "program:web", "user", "me"),
            ]
        );
    }

    #[test]
    fn what_supervisord_reads_otherwise_than_it_looks_is_read_as_it_does() {
        let text = "\u{feff}[program:web] # main\n  Command=run --x=a#b # the server\n  user=me\n  environment=\n    A=1,\n\n    B=2\n\
                    [program:db];\ncommand=db\n";
        assert_eq!(
            read(text, Syntax::Supervisord),
            [
                row(2, "program:web", "command", "run --x=a#b"),
                row(3, "program:web", "user", "me"),
                row(4, "program:web", "environment", "\nA=1,\nB=2"),
                row(9, "program:db", "command", "db"),
            ]
        );
    }

    #[test]
    fn a_backslash_that_is_escaped_ends_its_line() {
        let text = "[Service]\nExecStart=/bin/x \\\\\nUser=me\nExecStop=/bin/y \\\\\\\n  z\n";
        assert_eq!(
            read(text, Syntax::Systemd),
            [
                row(2, "Service", "ExecStart", "/bin/x \\\\"),
                row(3, "Service", "User", "me"),
                row(4, "Service", "ExecStop", "/bin/y \\\\ z"),
            ]
        );
    }

    #[test]
    fn the_lines_of_systemd_are_read() {
        let text = "[Unit]\nAfter=a.service b.service\n[Service]\nExecStart=/bin/x \\\n# between\n  --one \\\n  --two ; kept\nstray\n";
        assert_eq!(
            read(text, Syntax::Systemd),
            [
                row(2, "Unit", "After", "a.service b.service"),
                row(4, "Service", "ExecStart", "/bin/x --one --two ; kept"),
                row(8, "Service", "", "stray"),
            ]
        );
    }
}
