//! Only `host.state_dir`, of a config that may be broken: who asks a running daemon needs no more of its config.
//!
//! Invariant: whatever else is wrong with the files, a `state_dir` that a person would find in `[host]` is found; and no
//! key of that name in another table is taken for it.

use super::{drop_ins, room::Room};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// No `host.state_dir` is found in a config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot tell where the daemon's socket is: {why}; name the socket with --socket, or correct the config: \
     `mainstay check` tells what is wrong with it"
)]
pub struct NoStateDir {
    /// What was looked at, and what was found.
    pub why: String,
}

/// The state directory that a config names, made absolute as [`super::load`] does; of this file, else of the files in
/// `conf.d` beside it. What else is wrong in them does not matter.
pub fn state_dir(path: &Path) -> Result<PathBuf, NoStateDir> {
    let mut files = vec![path.to_owned()];
    // What cannot be listed cannot be looked at.
    files.extend(drop_ins(path).unwrap_or_default());
    let mut unreadable = Vec::new();
    let mut room = Room::default();
    for file in &files {
        match room.read(file) {
            Ok(bytes) => {
                if let Some(found) = state_dir_in(&String::from_utf8_lossy(&bytes)) {
                    let base = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                    let base = base.parent().unwrap_or(Path::new("/"));
                    return Ok(base.join(found).components().collect());
                }
            }
            Err(error) => unreadable.push(format!("cannot read {}: {error}", file.display())),
        }
    }
    let why = match unreadable.is_empty() {
        true => format!(
            "there is no `state_dir` in the table [host] of {}",
            path.display()
        ),
        false => unreadable.join("; "),
    };
    Err(NoStateDir { why })
}

/// What a text sets `host.state_dir` to.
fn state_dir_in(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let by_parser = || host_of(table.get_ref()).and_then(state_dir_of);
    if errors.is_empty() {
        return by_parser();
    }
    // One unclosed quote and the parser sees the rest in another light, so that the lines are the better witness.
    by_lines(text, true)
        .or_else(by_parser)
        .or_else(|| is_left_open(text).then(|| by_lines(text, false)).flatten())
}

fn host_of<'a, 'i>(table: &'a DeTable<'i>) -> Option<&'a DeTable<'i>> {
    match table.get("host")?.get_ref() {
        DeValue::Table(host) => Some(host),
        _ => None,
    }
}

/// A directory can have this name.
fn state_dir_of(table: &DeTable<'_>) -> Option<String> {
    match table.get("state_dir")?.get_ref() {
        DeValue::String(text) if !text.is_empty() && !text.contains('\0') => Some(text.to_string()),
        _ => None,
    }
}

/// What opens and closes a text over several lines.
const QUOTES: [&str; 2] = ["\"\"\"", "'''"];

/// Reads line by line without parsing. `skip_texts`: skips multi-line strings; wrong if one is not closed.
fn by_lines(text: &str, skip_texts: bool) -> Option<String> {
    // The root; an array of tables has no name.
    let mut table = Some(String::new());
    let mut open = None;
    for line in text.lines() {
        let is_inside = open.is_some();
        if skip_texts {
            open = open_after(line, open);
        }
        let line = line.trim();
        if is_inside {
            continue;
        }
        if line.starts_with('[') {
            table = header(line);
            continue;
        }
        let (keys, _) = DeTable::parse_recoverable(line);
        let found = match table.as_deref() {
            Some("") => host_of(keys.get_ref()).and_then(state_dir_of),
            Some("host") => state_dir_of(keys.get_ref()),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Whether a text over several lines is never closed.
fn is_left_open(text: &str) -> bool {
    let lines = text.lines();
    lines
        .fold(None, |open, line| open_after(line, open))
        .is_some()
}

/// The name in the header of a table, closed or not; none in that of an array of tables.
fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix('[')?;
    if name.starts_with('[') {
        return None;
    }
    let name = name.split([']', '#']).next().unwrap_or_default().trim();
    let bare = name.trim_matches(['"', '\'']);
    // The empty name is the root's, which has no header.
    (!bare.is_empty()).then(|| bare.to_owned())
}

/// The quotes of the text over several lines that is open after a line.
fn open_after(line: &str, before: Option<&'static str>) -> Option<&'static str> {
    let (mut open, mut rest) = (before, line);
    loop {
        let next: Option<(Option<&'static str>, &str)> = match open {
            Some(quotes) => rest.split_once(quotes).map(|(_, after)| (None, after)),
            None => {
                let found = QUOTES.into_iter().filter_map(|quotes| {
                    let (before, after) = rest.split_once(quotes)?;
                    Some((before.len(), quotes, after))
                });
                let first = found.min_by_key(|(at, ..)| *at);
                first.map(|(_, quotes, after)| (Some(quotes), after))
            }
        };
        match next {
            Some((now, after)) => (open, rest) = (now, after),
            None => return open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(state_dir_in(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_good_config_is_read_by_its_grammar() {
        check("[host]\nstate_dir = \"s\"\n", Some("s"));
        check("host.state_dir = 's' # here\n", Some("s"));
        check(
            "host = { state_dir = \"s\", plugin_dir = \"p\" }\n",
            Some("s"),
        );
        check("[ \"host\" ]\r\n\"state_dir\" = \"s\"\r\n", Some("s"));
        check("[host]\nstate_dir = \"a\\u0062\"\n", Some("ab"));
        check("[other]\nstate_dir = \"s\"\n", None);
        check("[host.api]\nstate_dir = \"s\"\n", None);
        check("x = \"\"\"\n[host]\nstate_dir = \"s\"\n\"\"\"\n", None);
        check("[host]\nstate_dir = 7\n", None);
        check("[host]\nstate_dir = \"\"\n", None);
        check("", None);
    }

    #[test]
    fn what_is_broken_before_in_and_after_the_table_does_not_matter() {
        let host = "[host]\nstate_dir = \"s\"\n";
        for broken in [
            "nonsense\n",
            "[[target\n",
            "[[target]]\nname = \"web\n",
            "[[target]]\nrun = [\"a\",\n",
            "[[target]]\nname = web = api\n",
            "[a]\nx = 1\n[a]\nx = 2\n",
            "[plugin.p]\nsettings = { text = \"\"\"never closed }\n",
            "= 3\n]\n}\n",
        ] {
            check(&format!("{broken}{host}"), Some("s"));
            check(&format!("{host}{broken}"), Some("s"));
            check(&format!("[host]\nnonsense\n{}", &host[7..]), Some("s"));
            check(&format!("[host]\nname = \"web\n{}", &host[7..]), Some("s"));
        }
    }

    #[test]
    fn forms_of_the_key_are_known_in_a_broken_config_too() {
        let broken = "[[target\n";
        check(
            &format!("[host] # ours\n  state_dir = 's' # here\n{broken}"),
            Some("s"),
        );
        check(
            &format!("# [host]\n# state_dir = \"no\"\n[host]\nstate_dir = \"s\"\n{broken}"),
            Some("s"),
        );
        check(&format!("host.state_dir = \"s\"\n{broken}"), Some("s"));
        check(&format!("host . state_dir = 's'\n{broken}"), Some("s"));
        check(
            &format!("host = {{ state_dir = \"s\" }}\n{broken}"),
            Some("s"),
        );
        check(
            &format!("[\"host\"]\r\n\"state_dir\" = \"s\"\r\n{broken}"),
            Some("s"),
        );
        check("[host\nstate_dir = \"s\"\n", Some("s"));
        check("\u{feff}[host]\nstate_dir = \"s\"\n[[target\n", Some("s"));
    }

    #[test]
    fn a_key_of_that_name_elsewhere_is_not_taken_for_it() {
        let host = "[host]\nstate_dir = \"s\"\n";
        for other in [
            "[other]\nstate_dir = \"no\"\n",
            "[[host]]\nstate_dir = \"no\"\n",
            "[host.api]\nstate_dir = \"no\"\n",
            "state_dir = \"no\"\n",
            "x = '''\n[host]\nstate_dir = \"no\"\n'''\n",
        ] {
            let broken = format!("{other}[[target\n");
            check(&broken, None);
            check(&format!("{broken}{host}"), Some("s"));
        }
    }

    /// A directory with these files.
    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        directory
    }

    #[test]
    fn files_of_conf_d_are_looked_at_too_and_paths_are_relative_to_the_first_file() {
        fn check(files: &[(&str, &[u8])], expected: &str) {
            let directory = directory(files);
            let found = state_dir(&directory.path().join("mainstay.toml")).unwrap();
            assert_eq!(found, directory.path().join(expected));
        }
        let host: &[u8] = b"[host]\nstate_dir = \"./run/state\"\n";
        check(&[("mainstay.toml", host)], "run/state");
        check(
            &[("mainstay.toml", b"broken"), ("conf.d/host.toml", host)],
            "run/state",
        );
        check(
            &[("mainstay.toml", b"\xff\n[host]\nstate_dir = \"s\"\n")],
            "s",
        );
        check(
            &[("mainstay.toml", host), ("conf.d/a.toml", b"\xff = [")],
            "run/state",
        );
        check(
            &[("mainstay.toml", host), ("conf.d", b"a file")],
            "run/state",
        );
        check(&[("conf.d/host.toml", host)], "run/state");
        let absolute = directory(&[("mainstay.toml", b"[host]\nstate_dir = \"/var/lib/x\"\n")]);
        let found = state_dir(&absolute.path().join("mainstay.toml")).unwrap();
        assert_eq!(found, Path::new("/var/lib/x"));
    }

    #[test]
    fn where_there_is_none_the_error_says_so_and_names_the_way_out() {
        let directory = directory(&[("mainstay.toml", b"[host]\nname = \"x\"\n")]);
        let file = directory.path().join("mainstay.toml");
        let error = state_dir(&file).unwrap_err().to_string();
        assert!(
            error.contains("no `state_dir` in the table [host]"),
            "{error}"
        );
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("--socket"), "{error}");
        let error = state_dir(Path::new("/no/such.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot read /no/such.toml"), "{error}");
    }
}
