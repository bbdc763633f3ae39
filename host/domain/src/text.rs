//! How texts for people are put together: errors with their causes, lists, and what others wrote.

use std::{error::Error, fmt::Display};

/// An error and what caused it, the outermost first.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error and its causes in one line.
pub fn in_one_line(links: impl IntoIterator<Item: Display>) -> String {
    joined(links, ": ")
}

/// Things one after the other, or `none` where there are none.
pub fn list(items: impl IntoIterator<Item: Display>, none: &str) -> String {
    let mut items = items.into_iter().peekable();
    match items.peek() {
        Some(_) => joined(items, ", "),
        None => none.to_owned(),
    }
}

/// A number of things, by the noun of one of them, which takes an `s` where there are more or none.
///
/// ```
/// use mainstay_domain::text::counted;
/// assert_eq!(counted(1_u32, "round"), "1 round");
/// assert_eq!(counted(2_usize, "round"), "2 rounds");
/// assert_eq!(counted(0_u64, "round"), "0 rounds");
/// ```
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// What others wrote, with `instead` in place of each character that could disturb a terminal or its reader.
pub fn printable(text: &str, instead: char) -> String {
    text.replace(is_disturbing, instead.encode_utf8(&mut [0; 4]))
}

/// What others wrote, with each character that could disturb a terminal or its reader shown as `\u{…}`.
///
/// ```
/// use mainstay_domain::text::visible;
/// assert_eq!(visible("a\u{1b}[2J\u{202e}b"), r"a\u{1b}[2J\u{202e}b");
/// ```
pub fn visible(text: &str) -> String {
    shown(text, |character| character.escape_unicode().collect(), "")
}

/// The beginning of what others wrote, as [`visible`] shows it: for errors that say what was found.
pub fn excerpt(text: &str) -> String {
    visible(&text.chars().take(80).collect::<String>())
}

/// As [`visible`], but for the ends of lines and tabs: for whole reports.
pub fn visible_lines(text: &str) -> String {
    shown(
        text,
        |character| character.escape_unicode().collect(),
        "\n\t",
    )
}

/// So many lines of what a program wrote are kept as evidence.
pub const EVIDENCE_LINES: usize = 20;
/// So many bytes of them, as they are shown.
pub const EVIDENCE_BYTES: usize = 4 << 10;

/// The last lines of what a program wrote, as [`visible`] shows them: at most [`EVIDENCE_LINES`] and [`EVIDENCE_BYTES`].
/// Empty ones are left out, and tabs are spaces. None where nothing is left.
///
/// ```
/// use mainstay_domain::text::last_lines;
/// let wrote = "starting\n\n\u{1b}[31mFATAL: no space left\r\n";
/// assert_eq!(last_lines(wrote).unwrap(), "starting\n\\u{1b}[31mFATAL: no space left");
/// assert_eq!(last_lines(" \n"), None);
/// ```
pub fn last_lines(text: &str) -> Option<String> {
    let mut lines = Vec::new();
    let mut room = EVIDENCE_BYTES;
    let written = text.lines().rev().map(str::trim_end);
    for line in written.filter(|line| !line.is_empty()).take(EVIDENCE_LINES) {
        // The beginning of a line says more than its end.
        let mut shown = String::new();
        for character in line.chars() {
            let next = match character {
                '\t' => "  ".to_owned(),
                other => visible(other.encode_utf8(&mut [0; 4])),
            };
            if shown.len() + next.len() > room {
                break;
            }
            shown.push_str(&next);
        }
        if shown.is_empty() {
            break;
        }
        // The end of the line counts too.
        room = room.saturating_sub(shown.len() + 1);
        lines.push(shown);
    }
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// JSON that says the same, with each character that could disturb a terminal or its reader escaped.
pub fn visible_json(json: &str) -> String {
    let escape = |character: char| -> String {
        let units = character.encode_utf16(&mut [0; 2]).to_vec();
        units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    shown(json, escape, "\n\r\t")
}

fn shown(text: &str, escape: impl Fn(char) -> String, kept: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_disturbing(character) && !kept.contains(character) {
            true => shown.push_str(&escape(character)),
            false => shown.push(character),
        }
    }
    shown
}

/// What moves the cursor, changes colours, reorders what is beside it, ends a line, or is not seen at all.
fn is_disturbing(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn joined(items: impl IntoIterator<Item: Display>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_program_wrote_the_last_lines_are_kept_within_bounds() {
        let many: String = (1..=100).map(|number| format!("line {number}\n")).collect();
        let kept = last_lines(&many).unwrap();
        assert_eq!(kept.lines().count(), EVIDENCE_LINES);
        assert!(kept.starts_with("line 81\n") && kept.ends_with("line 100"));
        let long = format!("first\n{}\nlast", "\u{1b}".repeat(100_000));
        let kept = last_lines(&long).unwrap();
        assert!(kept.len() <= EVIDENCE_BYTES, "{}", kept.len());
        assert!(kept.contains("\\u{1b}") && kept.ends_with("\nlast"));
        assert!(!kept.contains('\u{1b}'));
        for nothing in ["", "\n\n", " \t\r\n"] {
            assert_eq!(last_lines(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_list_names_what_there_is_or_that_there_is_nothing() {
        assert_eq!(list(["a", "b"], "none"), "a, b");
        assert_eq!(list([1], "none"), "1");
        assert_eq!(list([""; 0], "none"), "none");
    }

    #[test]
    fn what_is_printed_has_no_control_characters() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{85}é", ' '), "a [31mb c é");
        assert_eq!(printable("\0", '?'), "?");
    }

    #[test]
    fn what_disguises_or_disturbs_is_shown_and_the_rest_is_as_it_was() {
        for (text, shown) in [
            ("plain é 漢 🦀", "plain é 漢 🦀"),
            ("a\u{1b}[31mb", r"a\u{1b}[31mb"),
            ("exe\u{202e}cod.msaw", r"exe\u{202e}cod.msaw"),
            ("a\u{200b}b\u{feff}\u{9b}", r"a\u{200b}b\u{feff}\u{9b}"),
            ("a\r\nb\t", r"a\u{d}\u{a}b\u{9}"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\r\nb\u{2066}"), "a\\u{d}\nb\\u{2066}");
        assert_eq!(printable("a\u{202e}b", '?'), "a?b");
    }

    #[test]
    fn json_that_is_shown_says_the_same() {
        let value = serde_json::json!({"é": "a\u{1b}\u{9b}\u{7f}\u{202e}\u{e0041}\n"});
        for json in [
            value.to_string(),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            let shown = visible_json(&json);
            assert!(
                shown.chars().all(|c| c == '\n' || !is_disturbing(c)),
                "{shown}"
            );
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(read, value);
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Failure {
        what: &'static str,
        source: Option<Box<Failure>>,
    }

    #[test]
    fn an_error_is_told_with_its_causes_the_outermost_first() {
        let of = |what, source: Option<Failure>| Failure {
            what,
            source: source.map(Box::new),
        };
        let root = of("no such file", None);
        assert_eq!(in_one_line(causes(&root)), "no such file");
        let error = of("no start", Some(of("no config", Some(root))));
        assert_eq!(
            in_one_line(causes(&error)),
            "no start: no config: no such file"
        );
        let last = causes(&error).last().map(ToString::to_string);
        assert_eq!(last.as_deref(), Some("no such file"));
    }
}
