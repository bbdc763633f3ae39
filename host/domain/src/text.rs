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

fn joined(items: impl IntoIterator<Item: Display>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

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
