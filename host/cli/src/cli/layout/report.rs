//! A report that is text already, with colours maybe: its sentences are broken between words, and what it quotes stays.

use unicode_width::UnicodeWidthStr;

/// Further lines of a sentence begin so far to the right.
const HANG: usize = 2;

/// The text in lines of at most so many columns. Lines of a config that it shows, with the marks below them, stay as they
/// are, and so does a word that no line holds.
pub(in super::super) fn wrap_report(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let plain = without_colours(line);
        match plain.width() <= width || is_quoted(&plain) {
            true => line.to_owned(),
            false => wrapped(line, width, hang_of(&plain)),
        }
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Whether it points into a file, or shows a line of it.
fn is_quoted(plain: &str) -> bool {
    let number = plain.trim_start();
    let rest = number.trim_start_matches(|character: char| character.is_ascii_digit());
    let rest = rest.trim_start();
    rest.starts_with('|') || rest.starts_with("-->")
}

/// Where further lines begin: below the words of a help, else a little to the right.
fn hang_of(plain: &str) -> usize {
    let label = plain.find("= help: ");
    label.map_or(HANG, |label| label + "= help: ".len())
}

fn wrapped(line: &str, width: usize, hang: usize) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut used = 0;
    for (place, word) in line.split(' ').enumerate() {
        let columns = without_colours(word).width();
        if place > 0 && used > hang && used + 1 + columns > width {
            shown.push('\n');
            shown.push_str(&" ".repeat(hang));
            used = hang;
        } else if place > 0 {
            shown.push(' ');
            used += 1;
        }
        shown.push_str(word);
        used += columns;
    }
    shown
}

fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|character: char| character.is_ascii_alphabetic());
        let rest = end.and_then(|end| part.get(end + 1..));
        plain.push_str(rest.unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped_and_what_is_quoted_stays() {
        let long = "x".repeat(60);
        let text = format!(
            "\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: target `web` has no check: only its exit is seen\n  --> {long}\n\
             12 | name = \"{long}\"\n   = help: add a [[target.check]] below it, of a kind that asks"
        );
        let shown = wrap_report(&text, 40);
        let plain: Vec<String> = shown.lines().map(without_colours).collect();
        assert_eq!(
            plain,
            [
                "warning: target `web` has no check: only",
                "  its exit is seen",
                format!("  --> {long}").as_str(),
                format!("12 | name = \"{long}\"").as_str(),
                "   = help: add a [[target.check]] below",
                "           it, of a kind that asks",
            ]
        );
        assert_eq!(wrap_report(&text, 200), text);
    }
}
