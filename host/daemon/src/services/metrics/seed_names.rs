//! The names of the seed [seed 003] that do not end as Prometheus wants them, beside those that do: its queries and alerts
//! are about them.
//!
//! A counter that does not end in `_total`, and a histogram that ends in it or in `_count`, are faults to `promtool
//! check metrics`. So these are told once more as numbers without a type, which it does not judge, and which `rate()`
//! takes like any other.

use std::fmt::Write;

/// The name here, the seed's, and what it says.
const NAMES: [(&str, &str, &str); 10] = [
    (
        "backup_operations_created_success_total",
        "backup_operations_created_success",
        "As backup_operations_created_success_total.",
    ),
    (
        "backup_operations_created_failed_total",
        "backup_operations_created_failed",
        "As backup_operations_created_failed_total.",
    ),
    (
        "backup_retention_cleaned_success_total",
        "backup_retention_cleaned_success",
        "As backup_retention_cleaned_success_total.",
    ),
    (
        "backup_retention_cleaned_failed_total",
        "backup_retention_cleaned_failed",
        "As backup_retention_cleaned_failed_total.",
    ),
    (
        "backup_operations_size_bytes_bucket",
        "backup_operations_size_bytes_total_bucket",
        "As backup_operations_size_bytes_bucket.",
    ),
    (
        "backup_operations_size_bytes_sum",
        "backup_operations_size_bytes_total_sum",
        "As backup_operations_size_bytes_sum.",
    ),
    (
        "backup_operations_size_bytes_count",
        "backup_operations_size_bytes_total_count",
        "As backup_operations_size_bytes_count.",
    ),
    (
        "backup_retention_removed_bucket",
        "backup_retention_removed_count_bucket",
        "As backup_retention_removed_bucket.",
    ),
    (
        "backup_retention_removed_sum",
        "backup_retention_removed_count_sum",
        "As backup_retention_removed_sum.",
    ),
    (
        "backup_retention_removed_count",
        "backup_retention_removed_count_count",
        "As backup_retention_removed_count.",
    ),
];

/// Adds to the text the series of the seed's names.
pub(super) fn add_seed_names(text: &mut String) {
    let mut added = String::new();
    for (name, of_seed, help) in NAMES {
        let mut is_first = true;
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(name) else {
                continue;
            };
            if !rest.starts_with(['{', ' ']) {
                continue;
            }
            if is_first {
                // A `String` takes everything.
                let _ = write!(added, "# HELP {of_seed} {help}\n# TYPE {of_seed} untyped\n");
                is_first = false;
            }
            let _ = writeln!(added, "{of_seed}{rest}");
        }
        if !is_first {
            added.push('\n');
        }
    }
    text.push_str(&added);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_seed_calls_otherwise_is_told_under_both_names() {
        let mut text = "# HELP backup_operations_created_success_total x\n\
                        # TYPE backup_operations_created_success_total counter\n\
                        backup_operations_created_success_total{backup_job=\"a\"} 2\n\
                        backup_operations_created_success_total{backup_job=\"b\"} 3\n\n\
                        backup_operations_size_bytes_sum 7\n"
            .to_owned();
        let before = text.clone();
        add_seed_names(&mut text);
        let added = text.strip_prefix(&before).unwrap();
        assert_eq!(
            added,
            "# HELP backup_operations_created_success As backup_operations_created_success_total.\n\
             # TYPE backup_operations_created_success untyped\n\
             backup_operations_created_success{backup_job=\"a\"} 2\n\
             backup_operations_created_success{backup_job=\"b\"} 3\n\n\
             # HELP backup_operations_size_bytes_total_sum As backup_operations_size_bytes_sum.\n\
             # TYPE backup_operations_size_bytes_total_sum untyped\n\
             backup_operations_size_bytes_total_sum 7\n\n"
        );
    }
}
