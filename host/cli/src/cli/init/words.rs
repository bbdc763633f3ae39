//! Words as a shell and supervisord part them, and lengths and sizes as supervisors write them.

/// The words of a command line: quotes hold them together, a backslash takes the next character as it is. The error says
/// what is wrong.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if character == open => quote = None,
            (None | Some('"'), '\\') => {
                let next = characters.next().ok_or("it ends with a backslash")?;
                let word = word.get_or_insert_default();
                // In double quotes it means something before some characters only.
                if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// `KEY=VALUE` pairs that stand apart by white space or, as supervisord has them, by commas.
pub(super) fn variables(text: &str, by_commas: bool) -> Result<Vec<(String, String)>, String> {
    let parted = match by_commas {
        true => outside_of_quotes(text, ','),
        false => text.to_owned(),
    };
    let pairs = words(&parted)?.into_iter().map(|word| {
        let pair = word.split_once('=');
        let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("`{word}` is not KEY=VALUE"))
    });
    pairs.collect()
}

/// The text with a space in place of each such character that stands in no quotes.
fn outside_of_quotes(text: &str, wanted: char) -> String {
    let mut quote = None;
    let part = |character: char| match quote {
        None if character == wanted => ' ',
        None if matches!(character, '\'' | '"') => {
            quote = Some(character);
            character
        }
        Some(open) if character == open => {
            quote = None;
            character
        }
        _ => character,
    };
    text.chars().map(part).collect()
}

/// Whether a shell would do more with it than part it into words.
pub(super) fn needs_shell(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    text.contains(|c: char| "$`|&;<>()*?[]#~{}!\n".contains(c)) || first.contains('=')
}

/// A word that a shell takes as it is.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A length of time as systemd writes it (`90`, `1min 30s`, `500ms`) in milliseconds; none where it has no end, or is none.
pub(super) fn millis(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters)?;
        let factor = match unit {
            "ms" | "msec" => 1,
            "" | "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(factor)?;
        total = total.checked_add(part)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// The longest time that the config takes, in milliseconds: ten years.
pub(super) const LONGEST: u64 = 3_650 * 86_400_000;

/// A length of time as the config writes it.
pub(super) fn length(millis: u64) -> String {
    match millis % 1_000 {
        0 => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// A size with a unit of powers of 1024 (`50MB`, `2G`, `4096`) in bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim_end_matches('B') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A number of bytes as the config takes one, in the largest unit of which it is a whole number.
pub(super) fn shortest(size: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units
        .into_iter()
        .find(|(unit, _)| size >= *unit && size.is_multiple_of(*unit));
    let (unit, word) = whole.unwrap_or((1, "B"));
    format!("{}{word}", size / unit)
}

/// A mask of file modes as the config takes one; none where it is none, or has more than the bits of a mask.
pub(super) fn umask(text: &str) -> Option<&str> {
    let is_octal = text.bytes().all(|byte| byte.is_ascii_digit());
    let mask = u32::from_str_radix(text, 8).ok().filter(|_| is_octal)?;
    (mask <= 0o777).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_parted_as_a_shell_parts_it() {
        for (text, expected) in [
            ("", &[] as &[&str]),
            ("  a  b ", &["a", "b"][..]),
            (
                r#"a "b c" 'd "e"' f\ g"#,
                &["a", "b c", "d \"e\"", "f g"][..],
            ),
            (r#"a"b"'c' """#, &["abc", ""][..]),
            (r#""a\"b\n""#, &["a\"b\\n"][..]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        assert!(words("a 'b").is_err() && words("a\\").is_err());
    }

    #[test]
    fn variables_are_pairs() {
        let pairs = |text, by_commas| variables(text, by_commas).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("A=\"x,y\",B='1 2', C=3", true),
            [pair("A", "x,y"), pair("B", "1 2"), pair("C", "3")]
        );
        assert_eq!(
            pairs("A=x,y \"B=1 2\"", false),
            [pair("A", "x,y"), pair("B", "1 2")]
        );
        assert!(variables("A", true).is_err() && variables("=1", true).is_err());
    }

    #[test]
    fn what_needs_a_shell_is_seen() {
        for (text, expected) in [
            ("bundle exec puma -C config/puma.rb", false),
            ("node server.js --port $PORT", true),
            ("a && b", true),
            ("RAILS_ENV=production rake", true),
            ("prog --key=value", false),
        ] {
            assert_eq!(needs_shell(text), expected, "{text}");
        }
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn masks_are_those_that_the_config_takes() {
        for (text, expected) in [
            ("022", true),
            ("22", true),
            ("0027", true),
            ("777", true),
            ("1000", false),
            ("0o22", false),
            ("+22", false),
            ("9", false),
            ("", false),
        ] {
            assert_eq!(umask(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn lengths_and_sizes_are_read() {
        for (text, expected) in [
            ("90", Some(90_000)),
            ("1min 30s", Some(90_000)),
            ("1min30s", Some(90_000)),
            ("500ms", Some(500)),
            ("infinity", None),
            ("", None),
            ("5 parsecs", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
        assert_eq!(length(1_500), "1500ms");
        assert_eq!(length(90_000), "90s");
        for (text, expected) in [
            ("50MB", Some(50 << 20)),
            ("2G", Some(2 << 30)),
            ("512", Some(512)),
            ("10%", None),
            ("infinity", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_in_its_largest_unit() {
        for (size, expected) in [
            (10_485_760, "10MiB"),
            (1_024, "1KiB"),
            (1_025, "1025B"),
            (3 << 30, "3GiB"),
            (1_536, "1536B"),
        ] {
            assert_eq!(shortest(size), expected);
        }
    }
}
