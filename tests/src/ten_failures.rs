//! The ten well-known failures, each with the test that causes it for real, and what such a test notes of its recovery.

use serde_json::Value;

/// With this begins a line in which a test notes a recovery.
const MARK: &str = "recovery of one of the ten: ";

/// Each of the ten: the failure, and the target of tests and the test in it that causes it.
pub const TEN_FAILURES: [(&str, &str, &str); 10] = [
    (
        "redis-down",
        "services",
        "handlers::a_redis_that_died_is_warm_again_with_the_rows_that_were_accessed_lately",
    ),
    (
        "postgres-down",
        "services",
        "handlers::a_postgres_that_died_is_restarted_and_nothing_is_restored",
    ),
    (
        "s3-unavailable",
        "handlers",
        "object_store::things_are_stored_locally_while_a_store_is_away_and_go_back_over_a_kill_of_the_daemon",
    ),
    (
        "network-partition",
        "counterparts",
        "network::a_link_that_is_cut_is_left_for_the_other_and_taken_again_when_that_is_cut",
    ),
    (
        "data-corruption",
        "recovery_stories",
        "restore::data_goes_back_to_before_the_first_detection_though_it_was_backed_up_meanwhile",
    ),
    (
        "trading-engine-crash",
        "example_trading",
        "the_stream_falls_back_to_rest_the_engine_comes_back_and_a_loss_stops_the_trading",
    ),
    (
        "ml-model-failure",
        "counterparts",
        "model::a_model_that_fails_its_validation_goes_back_to_the_last_stable_one_which_is_loaded",
    ),
    (
        "api-gateway-down",
        "counterparts",
        "a_gateway_that_hangs_is_restarted_and_its_rate_limits_are_cleared_where_it_keeps_them",
    ),
    (
        "memory-overflow",
        "counterparts",
        "a_process_that_hoards_gives_memory_back_at_a_signal_or_is_restarted",
    ),
    (
        "disk-full",
        "example_nginx",
        "a_full_disk_of_logs_is_freed_of_old_ones_while_it_serves",
    ),
];

/// Sees that an operation recovered this failure, which nobody had to report and after which the checks passed, and notes it
/// for the table of `examples/ten_failures.rs`.
pub fn note_recovery(operation: &Value, failure: &str) {
    assert_eq!(operation["failure"], failure, "{operation}");
    assert_eq!(operation["mode"], "automatic", "{operation}");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let text = |field: &str| {
        let value = operation[field].as_str();
        value.unwrap_or_else(|| panic!("no `{field}`: {operation}"))
    };
    let took = operation["recovery_ms"].as_u64();
    let took = took.unwrap_or_else(|| panic!("no `recovery_ms`: {operation}"));
    println!(
        "{MARK}| {failure} | {} | {} {} | {} | {}.{:03} |",
        text("detected_at"),
        text("handler"),
        text("handler_version"),
        text("finished_at"),
        took / 1_000,
        took % 1_000
    );
}

/// The row of the table that a test printed of this failure; none where it printed none.
pub fn noted_recovery(output: &str, failure: &str) -> Option<String> {
    let begin = format!("{MARK}| {failure} |");
    // The harness may have begun the line.
    let mut lines = output.lines().filter_map(|line| {
        let at = line.find(&begin)?;
        line.get(at + MARK.len()..)
    });
    lines.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;
    use std::fs;

    #[test]
    fn each_of_the_ten_has_a_test_that_notes_its_recovery() {
        for (failure, target, test) in TEN_FAILURES {
            let tests = repository().join("tests/tests");
            let (file, name) = match test.split_once("::") {
                Some((module, name)) => (tests.join(target).join(format!("{module}.rs")), name),
                None => (tests.join(format!("{target}.rs")), test),
            };
            let text = fs::read_to_string(&file).unwrap();
            let begin = text.find(&format!("fn {name}()"));
            let begin = begin.unwrap_or_else(|| panic!("{} has no {name}", file.display()));
            let noted = format!("\"{failure}\");\n");
            let body = text[begin..].split("\n}\n").next().unwrap();
            let notes = body.lines().any(|line| {
                line.trim_start().starts_with("note_recovery(")
                    && format!("{line}\n").ends_with(&noted)
            });
            assert!(notes, "{name} notes no recovery of {failure}");
        }
    }

    #[test]
    fn a_row_is_found_behind_what_the_harness_began() {
        let printed = format!("\ntest it ... {MARK}| disk-full | then |\nok\n");
        let row = noted_recovery(&printed, "disk-full");
        assert_eq!(row.as_deref(), Some("| disk-full | then |"));
        assert_eq!(noted_recovery(&printed, "redis-down"), None);
    }
}
