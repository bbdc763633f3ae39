//! The ten well-known failures, each with the test that causes it for real, and what such a test notes of its recovery.

use crate::time;
use mainstay_domain::time::{Timestamp, millis};
use serde_json::{Value, json};

/// With this begins a line in which a test notes a recovery.
const MARK: &str = "recovery of one of the ten: ";

/// One of the ten.
#[derive(Debug, Clone, Copy)]
pub struct WellKnown {
    /// What it is called.
    pub failure: &'static str,
    /// What really happens in its test.
    pub cause: &'static str,
    /// What becomes of it by what is usually scripted against it.
    pub usually: &'static str,
    /// The topic of the whole-program tests, a module of `tests/tests/main.rs`.
    pub topic: &'static str,
    /// The test in it that causes it.
    pub test: &'static str,
}

/// The ten.
pub const TEN_FAILURES: [WellKnown; 10] = [
    WellKnown {
        failure: "redis-down",
        cause: "a Redis is killed",
        usually: "recovered where a row was written, whether Redis answers or not",
        topic: "services",
        test: "handlers::a_redis_that_died_is_warm_again_with_the_rows_that_were_accessed_lately",
    },
    WellKnown {
        failure: "postgres-down",
        cause: "a PostgreSQL is killed",
        usually: "a checkpoint is restored at once, and what came after it is lost",
        topic: "services",
        test: "handlers::a_postgres_that_died_is_restarted_and_nothing_is_restored",
    },
    WellKnown {
        failure: "s3-unavailable",
        cause: "an S3 server answers 503, and the daemon is killed meanwhile",
        usually: "a switch to local storage is noted, and none is made",
        topic: "handlers",
        test: "object_store::things_are_stored_locally_while_a_store_is_away_and_go_back_over_a_kill_of_the_daemon",
    },
    WellKnown {
        failure: "network-partition",
        cause: "a link is cut",
        usually: "not detected",
        topic: "counterparts",
        test: "network::a_link_that_is_cut_is_left_for_the_other_and_taken_again_when_that_is_cut",
    },
    WellKnown {
        failure: "data-corruption",
        cause: "a page that nginx serves is cut off",
        usually: "the last checkpoint is restored, and what came after it is lost",
        topic: "example_nginx",
        test: "a_page_that_is_cut_off_is_put_back_out_of_the_backup",
    },
    WellKnown {
        failure: "trading-engine-crash",
        cause: "an engine with an order and a broken position is killed",
        usually: "orders are marked as cancelled and are not, positions deleted without a backup",
        topic: "example_trading",
        test: "the_stream_falls_back_to_rest_the_engine_comes_back_and_a_loss_stops_the_trading",
    },
    WellKnown {
        failure: "ml-model-failure",
        cause: "a model that predicts wrong is loaded",
        usually: "not detected",
        topic: "counterparts",
        test: "model::a_model_that_fails_its_validation_goes_back_to_the_last_stable_one_which_is_loaded",
    },
    WellKnown {
        failure: "api-gateway-down",
        cause: "a gateway is stopped in the middle of its work, and hangs",
        usually: "not detected",
        topic: "counterparts",
        test: "a_gateway_that_hangs_is_restarted_and_its_rate_limits_are_cleared_where_it_keeps_them",
    },
    WellKnown {
        failure: "memory-overflow",
        cause: "a process takes 64 MiB, and may have 48",
        usually: "recovered, whatever its memory is",
        topic: "counterparts",
        test: "a_process_that_hoards_gives_memory_back_at_a_signal_or_is_restarted",
    },
    WellKnown {
        failure: "disk-full",
        cause: "the disk of the logs of nginx is filled",
        usually: "old checkpoints and a temporary directory are deleted, and no logs",
        topic: "example_nginx",
        test: "a_full_disk_of_logs_is_freed_of_old_ones_while_it_serves",
    },
];

/// Sees that an operation recovered this failure, which nobody had to report and after which the checks passed, and notes it
/// for the table of `examples/ten_failures.rs`: that it was caused right after `caused`, and that the test has seen `kept`
/// since, which could have been lost.
pub fn note_recovery(operation: &Value, failure: &str, caused: Timestamp, kept: &str) {
    assert_eq!(operation["failure"], failure, "{operation}");
    assert_eq!(operation["mode"], "automatic", "{operation}");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    for field in ["handler", "handler_version"] {
        assert!(operation[field].is_string(), "no `{field}`: {operation}");
    }
    let recovery = operation["recovery_ms"].as_u64();
    let recovery = recovery.unwrap_or_else(|| panic!("no `recovery_ms`: {operation}"));
    let detected = time(&operation["detected_at"]);
    let whole = millis(time(&operation["finished_at"]).since(detected));
    let noted = json!({
        "failure": failure,
        "detection_ms": millis(detected.since(caused)),
        "handler": operation["handler"],
        "handler_version": operation["handler_version"],
        "attempts": operation["attempts"],
        "recovery_ms": recovery,
        "verification_ms": whole.saturating_sub(recovery),
        "rto_met": operation["rto_exceeded"] == false,
        "data_loss": told_loss(operation),
        "kept": kept,
    });
    println!("{MARK}{noted}");
}

/// What the handlers said was lost; none where they said nothing.
fn told_loss(operation: &Value) -> Option<&str> {
    let actions = operation["actions"].as_array()?;
    let mut texts = actions.iter().filter_map(Value::as_str);
    texts.find_map(|text| text.strip_prefix("data loss: "))
}

/// What a test noted of this failure; none where it noted nothing.
fn noted_recovery(output: &str, failure: &str) -> Option<Value> {
    // The harness may have begun the line.
    let mut notes = output.lines().filter_map(|line| {
        let (_, note) = line.split_once(MARK)?;
        serde_json::from_str::<Value>(note).ok()
    });
    notes.find(|note| note["failure"] == failure)
}

/// What became of one of the ten, by what its test printed and whether that passed: what was noted, or an `error`.
pub fn row_of(one: &WellKnown, printed: &str, passed: bool) -> Value {
    let mut row = json!({
        "failure": one.failure,
        "cause": one.cause,
        "usually": one.usually,
        "test": format!("{}::{}", one.topic, one.test),
    });
    match noted_recovery(printed, one.failure).filter(|_| passed) {
        Some(noted) => {
            for (field, value) in noted.as_object().unwrap() {
                row[field.as_str()] = value.clone();
            }
        }
        None => row["error"] = why_not(printed, passed).into(),
    }
    row
}

/// Why there is nothing to tell of it.
fn why_not(printed: &str, passed: bool) -> String {
    let mut skipped = printed
        .lines()
        .filter_map(|line| line.split_once("SKIPPED, "));
    match (passed, skipped.next()) {
        (false, _) => "its test failed".to_owned(),
        (true, Some((_, why))) => why.to_owned(),
        (true, None) => "its test noted no recovery".to_owned(),
    }
}

/// Whether that is a recovery, within the objective of its target.
pub fn has_recovered(row: &Value) -> bool {
    row["error"].is_null() && row["rto_met"] == true
}

/// The head of the table.
pub const TABLE_HEAD: &str = "\
| failure | caused | detected after | recovered by | recovered after | verified for | in time | loss told | seen to be there | usually |
|---|---|---|---|---|---|---|---|---|---|";

/// Its row in the table.
pub fn table_row(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default().replace('|', "\\|");
    let (failure, cause, usually) = (text("failure"), text("cause"), text("usually"));
    if row["error"].is_string() {
        let why = text("error");
        return format!("| {failure} | {cause} | **no**: {why} | | | | no | | | {usually} |");
    }
    let seconds = |field: &str| {
        let millis = row[field].as_u64().unwrap_or_default();
        format!("{}.{:03} s", millis / 1_000, millis % 1_000)
    };
    let loss = match row["data_loss"].is_string() {
        true => text("data_loss"),
        false => "none".to_owned(),
    };
    let in_time = match has_recovered(row) {
        true => "yes",
        false => "**no**",
    };
    format!(
        "| {failure} | {cause} | {} | {} {} | {} | {} | {in_time} | {loss} | {} | {usually} |",
        seconds("detection_ms"),
        text("handler"),
        text("handler_version"),
        seconds("recovery_ms"),
        seconds("verification_ms"),
        text("kept"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;
    use std::fs;

    #[test]
    fn each_of_the_ten_has_a_test_that_notes_its_recovery() {
        for one in TEN_FAILURES {
            let tests = repository().join("tests/tests");
            let (file, name) = match one.test.split_once("::") {
                Some((module, name)) => {
                    let file = tests.join(one.topic).join(format!("{module}.rs"));
                    (file, name)
                }
                None => (tests.join(format!("{}.rs", one.topic)), one.test),
            };
            let text = fs::read_to_string(&file).unwrap();
            let begin = text.find(&format!("fn {name}()"));
            let begin = begin.unwrap_or_else(|| panic!("{} has no {name}", file.display()));
            let body = text[begin..].split("\n}\n").next().unwrap();
            let failure = format!("\"{}\"", one.failure);
            let mut calls = body.split("note_recovery(").skip(1);
            let notes = calls.any(|call| call.split(");").next().unwrap().contains(&failure));
            assert!(notes, "{name} notes no recovery of {failure}");
        }
    }

    /// One of the ten, what its test noted of it, and what becomes of that.
    fn noted(changes: Value) -> (WellKnown, Value) {
        let one = TEN_FAILURES[9];
        let mut note = json!({
            "failure": one.failure, "detection_ms": 1_204, "handler": "disk-cleanup",
            "handler_version": "1.0.0", "attempts": 1, "recovery_ms": 31, "verification_ms": 20_007,
            "rto_met": true, "data_loss": null, "kept": "this | that",
        });
        for (field, value) in changes.as_object().unwrap() {
            note[field.as_str()] = value.clone();
        }
        let printed = format!("\ntest it ... {MARK}{note}\nok\n");
        (one, row_of(&one, &printed, true))
    }

    #[test]
    fn a_row_has_what_a_test_noted_behind_what_the_harness_began() {
        let (one, row) = noted(json!({}));
        assert!(has_recovered(&row), "{row}");
        let cells =
            "1.204 s | disk-cleanup 1.0.0 | 0.031 s | 20.007 s | yes | none | this \\| that";
        let expected = format!(
            "| {} | {} | {cells} | {} |",
            one.failure, one.cause, one.usually
        );
        assert_eq!(table_row(&row), expected);
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        for line in TABLE_HEAD.lines().chain([expected.as_str()]) {
            assert_eq!(columns(line), 11, "{line}");
        }
        let (_, row) = noted(json!({ "data_loss": "up to 9 seconds" }));
        assert!(table_row(&row).contains("| up to 9 seconds |"), "{row}");
    }

    #[test]
    fn what_took_too_long_or_was_not_seen_is_no_recovery() {
        let (one, late) = noted(json!({ "rto_met": false }));
        assert!(!has_recovered(&late), "{late}");
        assert!(table_row(&late).contains("| **no** |"), "{late}");
        let (_, other) = noted(json!({ "failure": "redis-down" }));
        assert_eq!(other["error"], "its test noted no recovery");
        let note = format!(
            "{MARK}{}",
            json!({ "failure": one.failure, "rto_met": true })
        );
        let skipped = "SKIPPED, nothing was tested: only root may mount\n";
        for (printed, passed, why) in [
            (note.as_str(), false, "its test failed"),
            (skipped, true, "nothing was tested: only root may mount"),
        ] {
            let row = row_of(&one, printed, passed);
            assert!(!has_recovered(&row), "{row}");
            assert_eq!(row["error"], why);
            let line = table_row(&row);
            assert!(line.contains(&format!("**no**: {why}")), "{line}");
            assert_eq!(line.matches('|').count(), 11, "{line}");
        }
    }

    #[test]
    fn what_was_lost_is_what_the_handlers_told() {
        let operation = |actions: &[&str]| json!({ "actions": actions });
        let told = operation(&["restored it", "data loss: up to 9 seconds"]);
        assert_eq!(told_loss(&told), Some("up to 9 seconds"));
        assert_eq!(told_loss(&operation(&["restarted it"])), None);
    }
}
