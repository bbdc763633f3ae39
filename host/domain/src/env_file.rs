//! Files of environment variables: lines `KEY=VALUE`, as services have them beside their programs.
//!
//! Invariant: nothing in them is replaced: no variable, no command, no secret. A value may stand in quotes of one kind.

/// The longest file that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;

/// The variables of a file, in its order. The error says what is wrong with it, and in which line.
///
/// ```
/// use mainstay_domain::env_file::variables;
/// let read = variables(b"# of the shop\nPORT=\"8080\"\n".to_vec());
/// assert_eq!(read.unwrap(), [("PORT".to_owned(), "8080".to_owned())]);
/// ```
pub fn variables(content: Vec<u8>) -> Result<Vec<(String, String)>, String> {
    let text = String::from_utf8(content);
    parse(&text.map_err(|_| "it is not UTF-8 text".to_owned())?)
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
    fn what_is_no_text_is_told() {
        assert!(variables(b"A=\xff".to_vec()).is_err());
        assert_eq!(
            variables(b"A=1".to_vec()).unwrap(),
            [("A".to_owned(), "1".to_owned())]
        );
    }
}
