//! Files of environment variables: lines `KEY=VALUE`, as services have them beside their programs.
//!
//! Invariant: nothing in them is replaced: no variable, no command, no secret. A value may stand in quotes of one kind.

use mainstay_runtime::regular_file;
use std::{io, path::Path};

/// The longest file that is read.
const MAX_BYTES: u64 = 256 << 10;

/// The variables of a file, in its order. The error names the file and the line.
pub(super) fn read(path: &Path) -> io::Result<Vec<(String, String)>> {
    let failed = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let text = content(path).map_err(|error| failed(error.to_string()))?;
    parse(&text).map_err(failed)
}

fn content(path: &Path) -> io::Result<String> {
    let content = regular_file::read_whole(path, MAX_BYTES)?;
    let text = String::from_utf8(content);
    text.map_err(|_| io::Error::other("it is not UTF-8 text"))
}

fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: &str| format!("line {}: {why}", place + 1);
        let (name, value) = line.split_once('=').ok_or_else(|| at("it has no `=`"))?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let begins_well = !name.starts_with(|letter: char| letter.is_ascii_digit());
        if name.is_empty() || !begins_well || !name.chars().all(is_name) {
            return Err(at(
                "what is before `=` is no name of letters, digits and underscores",
            ));
        }
        if value.contains('\0') {
            return Err(at("its value holds a NUL"));
        }
        variables.push((name.to_owned(), unquoted(value).to_owned()));
    }
    Ok(variables)
}

fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        match (parse(text), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> = found
                    .iter()
                    .map(|(k, v)| (k.as_str(), v.as_str()))
                    .collect();
                assert_eq!(found, expected, "{text:?}");
            }
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (found, _) => panic!("{text:?}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn lines_are_variables_and_nothing_in_them_is_replaced() {
        check("", Ok(&[]));
        check("# a comment\n\n  A=1\r\nB = 2", Err("line 4"));
        check(
            "A=1\r\n_b2=a=b $A ${secret:t} `x`\nC=\nA=2\n",
            Ok(&[
                ("A", "1"),
                ("_b2", "a=b $A ${secret:t} `x`"),
                ("C", ""),
                ("A", "2"),
            ]),
        );
        check(
            "A=\"two words\"\nB='x'\nC=\"\nD=\"x'\n",
            Ok(&[("A", "two words"), ("B", "x"), ("C", "\""), ("D", "\"x'")]),
        );
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_line() {
        check("A=1\nexport", Err("line 2: it has no `=`"));
        check("A=1\n\nexport B=2", Err("line 3: what is before `=`"));
        check("1A=1", Err("line 1: what is before `=`"));
        check("=1", Err("line 1: what is before `=`"));
        check("A=\0", Err("line 1: its value holds a NUL"));
    }

    #[test]
    fn only_a_file_that_is_not_too_long_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        let error = |path: &Path| read(path).unwrap_err().to_string();
        assert!(error(&path).contains("env: "), "{}", error(&path));
        assert!(error(directory.path()).contains("no regular file"));
        std::fs::write(&path, format!("A={}", "x".repeat(256 << 10))).unwrap();
        assert!(error(&path).contains("longer than 256 KiB"));
        std::fs::write(&path, b"A=\xff").unwrap();
        assert!(read(&path).is_err());
        std::fs::write(&path, "A=1").unwrap();
        assert_eq!(read(&path).unwrap(), [("A".to_owned(), "1".to_owned())]);
    }
}
