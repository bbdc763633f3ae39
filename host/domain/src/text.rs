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

/// What others wrote, with `instead` in place of each control character, which could disturb a terminal.
pub fn printable(text: &str, instead: char) -> String {
    text.replace(char::is_control, instead.encode_utf8(&mut [0; 4]))
}

fn joined(items: impl IntoIterator<Item: Display>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

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
