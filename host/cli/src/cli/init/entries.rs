//! Sections with keys and values, as supervisord and systemd write them.

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// A line that is indented goes on with the value before it; ` ;` begins a comment.
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
    for (number, raw) in text.lines().enumerate() {
        let trimmed = raw.trim();
        let is_comment = trimmed.starts_with(['#', ';']);
        if is_comment || (trimmed.is_empty() && !goes_on) {
            continue;
        }
        let line = match syntax {
            Syntax::Supervisord => without_comment(trimmed),
            Syntax::Systemd => trimmed,
        };
        let is_indented = syntax == Syntax::Supervisord && raw.starts_with([' ', '\t']);
        let (line, ends_open) = match (syntax, line.strip_suffix('\\')) {
            (Syntax::Systemd, Some(line)) => (line.trim_end(), true),
            _ => (line, false),
        };
        let continues = goes_on || is_indented;
        goes_on = ends_open;
        let last = entries.last_mut();
        let last = last.filter(|last| continues && !last.key.is_empty() && last.section == section);
        if let Some(last) = last {
            let between = if syntax == Syntax::Systemd { ' ' } else { '\n' };
            last.value.push(between);
            last.value.push_str(line);
            continue;
        }
        if let Some(head) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = head.trim().to_owned();
            continue;
        }
        let parted = match syntax {
            Syntax::Supervisord => line.split_once(['=', ':']),
            Syntax::Systemd => line.split_once('='),
        };
        let (key, value) = match parted {
            Some((key, value)) if !key.trim().is_empty() => (key.trim(), value.trim()),
            _ => ("", line),
        };
        entries.push(Entry {
            line: number + 1,
            section: section.clone(),
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    entries
}

fn without_comment(line: &str) -> &str {
    let at = [" ;", "\t;"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min();
    let kept = at.and_then(|at| line.get(..at)).unwrap_or(line);
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
