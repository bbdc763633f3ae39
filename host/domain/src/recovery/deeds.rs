//! What a handler reports in a dry run, as what it would do.

/// How handlers begin to say what they have done, and what of that a dry run would do.
const DEEDS: [(&str, &str); 10] = [
    ("restarted", "restart"),
    ("started", "start"),
    ("stopped", "stop"),
    ("restored", "restore"),
    ("deleted", "delete"),
    ("removed", "remove"),
    ("reloaded", "reload"),
    ("sent", "send"),
    ("flushed", "flush"),
    ("ran", "run"),
];

/// What a handler reports in a dry run, which knows of none, as what it is: nothing was done.
pub(super) fn planned(action: &str) -> String {
    let (verb, rest) = action.split_at(action.find(' ').unwrap_or(action.len()));
    let deed = DEEDS.iter().find(|(done, _)| *done == verb);
    match deed {
        Some((_, would)) => format!("would {would}{rest}"),
        None if verb == "would" => action.to_owned(),
        None => format!("planned: {action}"),
    }
}

#[cfg(test)]
mod tests {
    use super::planned;

    #[test]
    fn what_a_dry_run_reports_is_no_deed() {
        for (action, expected) in [
            ("restarted shop", "would restart shop"),
            ("restarted", "would restart"),
            (
                "ran `promote`: exit code 0",
                "would run `promote`: exit code 0",
            ),
            ("would delete 3 files", "would delete 3 files"),
            (
                "looked at the first 9 only",
                "planned: looked at the first 9 only",
            ),
            ("", "planned: "),
        ] {
            assert_eq!(planned(action), expected);
        }
    }
}
