//! Reports many problems of one kind as one.
//!
//! Invariant: every kind is reported, with the number of problems that are not shown.
//! Invariant: only problems that are shown are placed in their files, so that many cost no more than those few.

use super::problem::{Kind, Problem};
use std::collections::HashMap;

/// How many errors of one kind are reported; each needs a fix.
pub(crate) const MOST_ERRORS: usize = 100;
/// More warnings of one kind than this are one problem, and so many of them are shown to people.
pub(crate) const MOST_WARNINGS: usize = 5;

/// The problems in their order, those of a kind that has too many of them cut to the first ones. `place` makes each
/// that is shown whole.
pub(crate) fn grouped<P>(
    found: Vec<(P, Problem)>,
    place: impl Fn(P, Problem) -> Problem,
) -> Vec<Problem> {
    let mut groups: HashMap<Kind, Group> = HashMap::new();
    for (_, problem) in &found {
        groups.entry(problem.kind()).or_default().total += 1;
    }
    let mut shown: Vec<Problem> = Vec::new();
    for (at, problem) in found {
        let most = match problem.is_error() {
            true => MOST_ERRORS,
            false => MOST_WARNINGS,
        };
        let group = groups.entry(problem.kind()).or_default();
        group.met += 1;
        if group.met > most {
            continue;
        }
        let is_whole = group.total <= most;
        let (number, unseen) = (group.met, group.total.saturating_sub(most));
        let mut problem = place(at, problem);
        if is_whole || problem.is_error() {
            if number == most && !is_whole {
                problem.message = and_more(&problem.message, unseen);
            }
            shown.push(problem);
            continue;
        }
        // Too many warnings: the first stands for all of them.
        if number == 1 {
            group.head = shown.len();
            let mut head = problem.clone();
            head.message = and_more(&problem.message, group.total.saturating_sub(1));
            shown.push(head);
        }
        if number == most {
            problem.message = and_more(&problem.message, unseen);
        }
        if let Some(head) = shown.get_mut(group.head) {
            head.add_example(problem);
        }
    }
    shown
}

/// The problems of one kind.
#[derive(Default)]
struct Group {
    total: usize,
    /// How many of them we have come by.
    met: usize,
    /// Where among those told the one is that stands for all.
    head: usize,
}

fn and_more(message: &str, count: usize) -> String {
    format!("{message} … and {} more like it", with_commas(count))
}

/// `9,995`.
fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::problem::render, *};

    fn warnings(count: usize) -> Vec<((), Problem)> {
        let warning = |n| ((), Problem::warning(format!("target {n} is odd"), "look"));
        (0..count).map(warning).collect()
    }

    fn errors(count: usize) -> Vec<((), Problem)> {
        let error = |n| ((), Problem::error(format!("target {n} is bad"), "mend it"));
        (0..count).map(error).collect()
    }

    fn summarized(found: Vec<((), Problem)>) -> Vec<Problem> {
        grouped(found, |(), problem| problem)
    }

    #[test]
    fn five_warnings_of_a_kind_are_told_one_by_one() {
        let found = warnings(5);
        let as_found: Vec<Problem> = found.iter().map(|(_, problem)| problem.clone()).collect();
        assert_eq!(summarized(found), as_found);
    }

    #[test]
    fn more_warnings_of_a_kind_are_one_with_their_count() {
        let shown = summarized(warnings(10_000));
        let messages: Vec<&str> = shown.iter().map(|shown| shown.message.as_str()).collect();
        assert_eq!(messages, ["target 0 is odd … and 9,999 more like it"]);
        let text = render(&shown, false);
        let lines = text.lines().filter(|line| line.starts_with("warning: "));
        let expected = [
            "warning: target 0 is odd",
            "warning: target 1 is odd",
            "warning: target 2 is odd",
            "warning: target 3 is odd",
            "warning: target 4 is odd … and 9,995 more like it",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn errors_are_told_one_by_one_up_to_a_hundred_of_a_kind() {
        assert_eq!(summarized(errors(100)).len(), 100);
        let shown = summarized(errors(2_101));
        assert_eq!(shown.len(), 100);
        assert_eq!(shown[98].message, "target 98 is bad");
        assert_eq!(
            shown[99].message,
            "target 99 is bad … and 2,001 more like it"
        );
    }

    #[test]
    fn a_group_hides_no_other_kind() {
        let other = || ((), Problem::warning("something else", "look"));
        let mut found = warnings(20);
        found.insert(10, other());
        found.extend(errors(1));
        found.push(other());
        let shown = summarized(found);
        let messages: Vec<&str> = shown.iter().map(|shown| shown.message.as_str()).collect();
        let expected = [
            "target 0 is odd … and 19 more like it",
            "something else",
            "target 0 is bad",
            "something else",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn only_what_is_shown_is_placed() {
        let placed = std::cell::Cell::new(0);
        let place = |(), problem: Problem| {
            placed.set(placed.get() + 1);
            problem
        };
        grouped([warnings(1_000), errors(1_000)].concat(), place);
        assert_eq!(placed.get(), MOST_WARNINGS + MOST_ERRORS);
    }

    #[test]
    fn long_numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (100, "100"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(with_commas(number), text);
        }
    }
}
