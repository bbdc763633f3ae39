//! Words as systemd parts and unescapes them in its units, and what it puts in place of `%…`.

use std::str::Chars;

/// Which line they stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A backslash before what is no escape is kept, with a warning by systemd.
    Command,
    /// Such a backslash makes systemd ignore the line.
    Assignments,
}

/// Names and values, and why others are left.
type Assignments = (Vec<(String, String)>, Vec<String>);

/// The words of a line: quotes hold them together, and escapes as C has them are read in quotes and out of them. The error
/// says what is wrong.
pub(super) fn unit_words(text: &str, line: Line) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if character == open => quote = None,
            (_, '\\') => escape(&mut characters, word.get_or_insert_default(), line)?,
            (None, _) if character.is_whitespace() => {
                if let Some(word) = word.take() {
                    words.push(whole(word)?);
                }
            }
            (None, ';') if line == Line::Command && word.is_none() && ends(&characters) => {
                return Err(
                    "several commands stand in one line; write each in a line of its own"
                        .to_owned(),
                );
            }
            _ => push(word.get_or_insert_default(), character),
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} is not closed"));
    }
    if let Some(word) = word {
        words.push(whole(word)?);
    }
    Ok(words)
}

/// The variables of an `Environment=` line, and why others of it are not carried.
pub(super) fn assignments(text: &str, unit: &str) -> Result<Assignments, String> {
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for word in unit_words(text, Line::Assignments)? {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => match specified(value, unit) {
                Ok(value) => found.push((name.to_owned(), value)),
                Err(why) => left.push(format!("`{name}`: {why}")),
            },
            _ => left.push(format!("`{word}` is not KEY=VALUE")),
        }
    }
    Ok((found, left))
}

/// The text with what systemd puts in place of `%…`.
pub(super) fn specified(text: &str, unit: &str) -> Result<String, String> {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut specified = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        specified.push_str(before);
        let mut characters = after.chars();
        let letter = characters.next();
        rest = characters.as_str();
        specified.push_str(match letter {
            Some('%') => "%",
            Some('n') => unit,
            Some('N') => stem,
            Some('p' | 'P') => prefix,
            Some('i' | 'I') if !instance.is_empty() => instance,
            Some('t') => "/run",
            Some('S') => "/var/lib",
            Some('C') => "/var/cache",
            Some('L') => "/var/log",
            Some('E') => "/etc",
            Some('T') => "/tmp",
            Some('V') => "/var/tmp",
            Some(letter) => return Err(format!("only systemd knows `%{letter}`: write its value")),
            None => return Err("it ends with `%`".to_owned()),
        });
    }
    specified.push_str(rest);
    Ok(specified)
}

/// Whether a word that has begun with the last character ends with it.
fn ends(rest: &Chars<'_>) -> bool {
    rest.clone().next().is_none_or(char::is_whitespace)
}

fn push(word: &mut Vec<u8>, character: char) {
    word.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn whole(word: Vec<u8>) -> Result<String, String> {
    String::from_utf8(word).map_err(|_| "its escapes give what is no UTF-8".to_owned())
}

/// Takes what stands after a backslash.
fn escape(characters: &mut Chars<'_>, word: &mut Vec<u8>, line: Line) -> Result<(), String> {
    let letter = characters.next().ok_or("it ends with a backslash")?;
    let byte = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        's' => b' ',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        '\'' => b'\'',
        // `find … \;`: it would part two commands.
        ';' if line == Line::Command => b';',
        _ => return numbered(letter, characters, word, line),
    };
    word.push(byte);
    Ok(())
}

/// Takes `\x41`, `\101`, `\u0041` or `\U00000041`, or what is no escape.
fn numbered(
    letter: char,
    characters: &mut Chars<'_>,
    word: &mut Vec<u8>,
    line: Line,
) -> Result<(), String> {
    let (digits, radix) = match letter {
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        _ => (3, 8),
    };
    let mut ahead = characters.clone();
    let mut number = String::new();
    // The first digit of `\101` is what stands after the backslash.
    if radix == 8 {
        number.push(letter);
    }
    while number.len() < digits {
        match ahead.next().filter(char::is_ascii) {
            Some(digit) => number.push(digit),
            None => break,
        }
    }
    let is_number = number.len() == digits && number.chars().all(|c| c.is_digit(radix));
    let value = u32::from_str_radix(&number, radix)
        .ok()
        .filter(|value| is_number && *value > 0);
    let is_byte = matches!(letter, 'x' | '0'..='7');
    let byte = value.and_then(|value| u8::try_from(value).ok());
    let character = value.and_then(char::from_u32);
    match (is_byte, byte, character) {
        (true, Some(byte), _) => word.push(byte),
        (false, _, Some(character)) if matches!(letter, 'u' | 'U') => push(word, character),
        _ if line == Line::Command => {
            word.push(b'\\');
            push(word, letter);
            return Ok(());
        }
        _ => return Err(format!("`\\{letter}` is no escape of systemd")),
    }
    *characters = ahead;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            (r"\x41 \101 \u00e9 \U0001f600", &["A", "A", "é", "😀"][..]),
            (r#""a\nb" 'a\tb' a\sb"#, &["a\nb", "a\tb", "a b"][..]),
            (r#"\"a\" '\'' \\"#, &["\"a\"", "'", "\\"][..]),
            (r"\xc3\xa9", &["é"][..]),
            (r#"a"b c"'d' """#, &["ab cd", ""][..]),
            // systemd warns, and keeps them.
            (r"\. \d+ \x4 \400", &[r"\.", r"\d+", r"\x4", r"\400"][..]),
            (r"-exec rm {} \;", &["-exec", "rm", "{}", ";"][..]),
            ("a;b ';'", &["a;b", ";"][..]),
        ] {
            assert_eq!(unit_words(text, Line::Command).unwrap(), expected, "{text}");
        }
        for bad in ["'a", "a\\", r"\xff", "/bin/a ; /bin/b", "/bin/a ;"] {
            assert!(unit_words(bad, Line::Command).is_err(), "{bad}");
        }
        assert!(unit_words(r"A=\d", Line::Assignments).is_err());
    }

    #[test]
    fn what_can_be_carried_of_an_environment_is() {
        let (found, left) =
            assignments(r#"A=\x41 "B=a\nb" C=%h D=%n E=50%% f"#, "web.service").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [
                pair("A", "A"),
                pair("B", "a\nb"),
                pair("D", "web.service"),
                pair("E", "50%")
            ]
        );
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(
            left[0].starts_with("`C`: only systemd knows `%h`"),
            "{left:?}"
        );
    }
}
