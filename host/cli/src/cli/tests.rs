//! The command line against a served API, and its manual.

use super::*;
use clap::Parser;
use mainstay_daemon::api::testing::{Served, backup_id, operation_id};

mod views;

/// Runs a command line against the API; how it ended and what it wrote.
async fn run(served: &Served, json: bool, line: &str) -> (anyhow::Result<Ending>, String) {
    let socket = served.socket();
    let socket = ["--socket", socket.to_str().unwrap()];
    let words = ["mainstay"]
        .into_iter()
        .chain(socket)
        .chain(line.split(' '));
    let cli = Cli::try_parse_from(words).unwrap();
    let out = Output::in_memory(json, false);
    let ending = dispatch(cli, &out).await;
    (ending, out.written())
}

/// What a command that is done wrote.
async fn done_with(served: &Served, json: bool, line: &str) -> String {
    let (ending, written) = run(served, json, line).await;
    assert_eq!(ending.unwrap(), Ending::Done, "{line}");
    written
}

/// What a command that cannot be done says.
async fn error_of(line: &str) -> String {
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let error = dispatch(cli, &Output::in_memory(false, false))
        .await
        .unwrap_err();
    format!("{error:#}")
}

#[tokio::test]
async fn people_read_tables() {
    let served = Served::start().await;
    served.let_work_go_on(100);
    let mut texts = String::new();
    for line in [
        "status".to_owned(),
        "plugin list".to_owned(),
        "incidents --open".to_owned(),
        "history --target api --state succeeded".to_owned(),
        "history --target redis".to_owned(),
        "events".to_owned(),
        format!("operation show {}", operation_id(1)),
        format!("approve {} --by ann --reason tested", operation_id(1)),
        "pause api --by ann".to_owned(),
        "resume --by ann".to_owned(),
        "backup list".to_owned(),
        format!("backup show {}", backup_id(1)),
        "backup create state".to_owned(),
        "backup restore state --into /tmp/x".to_owned(),
        "backup prune --dry-run".to_owned(),
        "recover api --failure api-gateway-down --by ann".to_owned(),
    ] {
        let written = done_with(&served, false, &line).await;
        texts.push_str(&format!("$ mainstay {line}\n{written}\n"));
    }
    insta::assert_snapshot!("tables", texts);
}

#[tokio::test]
async fn programs_read_what_the_api_said() {
    let served = Served::start().await;
    for line in [
        "status",
        "plugin list",
        "incidents",
        "history",
        "audit --limit 5",
        "ack inc-01K0000000000000000000000A --reason looking",
        "backup list",
        "backup stats --job state",
        "checkpoint list",
        "checkpoint resume state",
    ] {
        let written = done_with(&served, true, line).await;
        assert!(
            serde_json::from_str::<serde_json::Value>(&written).is_ok(),
            "{line}: {written}"
        );
        assert_eq!(written.lines().count(), 1, "{line}");
    }
    let events = done_with(&served, true, "events --since 0").await;
    assert_eq!(events.lines().count(), 2);
    let scheduled = done_with(&served, true, "recover api --failure f --by ann").await;
    assert!(scheduled.starts_with("{\"operation\":\"op-"), "{scheduled}");
}

#[tokio::test]
async fn a_list_goes_on_below_the_last_one_of_the_page_before() {
    let served = Served::start().await;
    let ids = async |line: String| {
        let written = done_with(&served, true, &line).await;
        let rows: Vec<serde_json::Value> = serde_json::from_str(&written).unwrap();
        let ids = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    for list in ["history", "incidents"] {
        let all = ids(list.to_owned()).await;
        let mut paged = ids(format!("{list} --limit 1")).await;
        assert!(!paged.is_empty(), "{list}");
        while let Some(last) = paged.last() {
            let page = ids(format!("{list} --limit 1 --before {last}")).await;
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all, "{list}");
    }
}

#[tokio::test]
async fn events_and_incidents_are_those_of_a_target_and_since_a_time() {
    let served = Served::start().await;
    let lines = async |line: &str| {
        let written = done_with(&served, true, line).await;
        written.lines().count()
    };
    assert_eq!(lines("events --since 2024-01-01T00:00:00Z").await, 2);
    assert_eq!(lines("events --target api").await, 1);
    assert_eq!(lines("events --target api --since 0").await, 1);
    assert_eq!(lines("events --target redis").await, 0);
    assert_eq!(
        lines("events --since 1h").await,
        2,
        "by the clock of the command"
    );
    assert_eq!(lines("events --since 2025-01-01").await, 0);
    for (line, expected) in [
        ("incidents --target api", 1),
        ("incidents --target redis", 0),
        ("incidents --since 1h", 1),
        ("incidents --since 2025-01-01", 0),
        ("incidents --since 2024-01-01T00:00:00Z", 1),
    ] {
        let written = done_with(&served, true, line).await;
        let found: Vec<serde_json::Value> = serde_json::from_str(&written).unwrap();
        assert_eq!(found.len(), expected, "{line}: {written}");
    }
}

#[tokio::test]
async fn the_names_of_the_daemon_are_completed() {
    let served = Served::start().await;
    let complete = async |words: &str| {
        let line = format!("complete -- {words}");
        let written = done_with(&served, false, &line).await;
        written.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(complete("stop a").await, ["api"]);
    assert_eq!(complete("stop ").await, ["api", "redis"]);
    assert_eq!(complete("backup drill ").await, ["state"]);
    assert_eq!(complete("events --target r").await, ["redis"]);
    assert_eq!(complete("sto").await, ["stop"]);
    let ids = complete("operation show ").await;
    assert_eq!(ids, [operation_id(1).to_string()]);
    let ids = complete("incident show inc-").await;
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn without_a_daemon_the_manual_is_completed() {
    let line = "mainstay --socket /no/such.sock complete -- stop --re";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let out = Output::in_memory(false, false);
    assert_eq!(dispatch(cli, &out).await.unwrap(), Ending::Done);
    assert_eq!(out.written().trim(), "--reason");
}

#[tokio::test]
async fn a_note_is_kept_with_what_it_is_about() {
    let served = Served::start().await;
    let operation = operation_id(1).to_string();
    let incident = "inc-01K0000000000000000000000A";
    for (id, text) in [(operation.as_str(), "moved"), (incident, "full")] {
        done_with(&served, false, &format!("note {id} {text} --by ann")).await;
    }
    for (show, text, other) in [
        (format!("operation show {operation}"), "moved", "full"),
        (format!("incident show {incident}"), "full", "moved"),
    ] {
        let shown = done_with(&served, false, &show).await;
        assert!(
            shown.contains(&format!("keeper (who says: ann): {text}")),
            "{shown}"
        );
        assert!(!shown.contains(other), "{shown}");
        let json = done_with(&served, true, &show).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["notes"][0]["text"], text);
    }
    let end = operation.get(operation.len() - 6..).unwrap();
    let written = done_with(&served, false, &format!("note {end} short")).await;
    assert!(written.contains(&operation), "{written}");
    let unknown = "note inc-01K0000000000000000000000Z text";
    let (ending, _) = run(&served, false, unknown).await;
    let error = ending.unwrap_err().to_string();
    assert!(error.starts_with("there is no incident inc-"), "{error}");
}

#[tokio::test]
async fn the_numbers_of_each_target_are_shown() {
    let served = Served::start().await;
    let written = done_with(&served, false, "stats --since 2024-01-30T12:00:00Z").await;
    let row = |name: &str| {
        let line = written
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let words = line.unwrap_or_default().split_whitespace();
        words.collect::<Vec<&str>>().join(" ")
    };
    assert_eq!(
        row("api"),
        "api 2 1 3 1 50% 2.5 s 2.0 s 4.0 s 66.6% 50% 12 h"
    );
    assert_eq!(row("redis"), "redis 0 0 0 0 - - - - - 100% 24 h");
    let total = "in all: 2 incidents, 3 recovered (1 came back), 1 failed, 50% for good, 2.5 s on average from the first \
                 detection, 66.6% within the objective";
    assert!(written.contains(total), "{written}");
    let (ending, _) = run(&served, false, "stats --since 2999-01-01T00:00:00Z").await;
    let error = format!("{:#}", ending.unwrap_err());
    assert!(error.contains("is still to come"), "{error}");
    let written = done_with(&served, true, "stats --target api").await;
    let stats: mainstay_api::Stats = serde_json::from_str(&written).unwrap();
    assert_eq!(stats.targets.len(), 1);
}

#[tokio::test]
async fn what_backups_come_to_is_shown_of_all_by_type_and_by_tier() {
    let served = Served::start().await;
    let written = done_with(&served, false, "backup stats").await;
    for begins in ["all ", "type full ", "tier local "] {
        let mut lines = written.lines().map(str::trim_start);
        let line = lines.find(|line| line.starts_with(begins));
        let line = line.unwrap_or_else(|| panic!("{begins}: {written}"));
        assert!(line.contains(" kB ") && line.contains('%'), "{written}");
    }
    assert!(!written.contains("type emergency"), "{written}");
    let (ending, _) = run(&served, false, "backup stats --job sate").await;
    let error = format!("{:#}", ending.unwrap_err());
    assert!(error.contains("`state`"), "{error}");
}

#[tokio::test]
async fn the_health_of_the_host_and_the_nodes_are_shown() {
    let served = Served::start().await;
    let written = done_with(&served, false, "health").await;
    assert!(
        written.starts_with("the mode is heuristic since "),
        "{written}"
    );
    assert!(
        written.contains("2 targets: 1 failed, 1 unknown"),
        "{written}"
    );
    let written = done_with(&served, true, "health").await;
    let host: mainstay_api::HostHealth = serde_json::from_str(&written).unwrap();
    assert_eq!(host.failed_attempts, 7);
    let written = done_with(&served, false, "node list").await;
    assert!(written.contains("example"), "{written}");
    assert!(written.contains("1.5 s ago"), "{written}");
    let written = done_with(&served, true, "node list").await;
    let nodes: Vec<mainstay_api::Node> = serde_json::from_str(&written).unwrap();
    assert!(nodes.len() == 1 && nodes[0].leader, "{nodes:?}");
}

#[tokio::test]
async fn a_test_alert_is_told_with_what_each_receiver_answered() {
    let served = Served::start().await;
    let (ending, written) = run(&served, false, "alert test").await;
    assert_eq!(ending.unwrap(), Ending::Failed, "one was not delivered");
    assert_eq!(
        written.trim_end(),
        "pager: delivered by pager@1.0.0, which is message 7 there\nmail: not delivered: no such address"
    );
    let one = done_with(&served, true, "alert test --alerter pager").await;
    assert!(one.contains("\"delivered\":true"), "{one}");
    let (ending, _) = run(&served, false, "alert test --alerter pagr").await;
    let error = ending.unwrap_err().to_string();
    assert_eq!(error, "there is no alerter `pagr`; did you mean `pager`?");
}

#[tokio::test]
async fn a_recovery_that_is_waited_for_shows_its_end() {
    let served = Served::start().await;
    let line = "recover api --failure api-gateway-down --wait --by ann";
    let written = done_with(&served, false, line).await;
    assert!(written.contains("operation.succeeded"), "{written}");
    assert!(written.contains("targets.restart"), "{written}");
    let line = "recover api --failure api-gateway-down --dry-run --by ann";
    let planned = done_with(&served, true, line).await;
    assert!(planned.contains("\"journal\":[{\"seq\":1"), "{planned}");
}

#[tokio::test]
async fn a_refusal_is_told_as_the_daemon_told_it() {
    let served = Served::start().await;
    let (ending, written) = run(&served, false, "recover nobody --failure f --by ann").await;
    assert_eq!(written, "");
    let error = ending.unwrap_err().to_string();
    assert_eq!(error, "there is no target `nobody`");
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_the_nearest_one() {
    let served = Served::start().await;
    served.let_work_go_on(100);
    for (line, refused, meant) in [
        ("recover apl --failure f --by ann", "target `apl`", "`api`"),
        ("probe apl", "target `apl`", "`api`"),
        ("status apl", "target `apl`", "`api`"),
        ("restart redsi --by ann", "target `redsi`", "`redis`"),
        ("history --target redsi", "target `redsi`", "`redis`"),
        ("backup create sate", "job `sate`", "`state`"),
        ("backup list --job sate", "job `sate`", "`state`"),
    ] {
        let (ending, written) = run(&served, false, line).await;
        let error = ending.unwrap_err();
        let expected = format!("there is no {refused}; did you mean {meant}?");
        assert_eq!(error.to_string(), expected, "{line}");
        let help = error.downcast_ref::<failure::WithHelp>().unwrap();
        let help = help.help.as_deref().unwrap();
        assert!(
            help.contains("`mainstay status --all` lists "),
            "{line}: {help}"
        );
        assert_eq!(written, "", "{line}");
    }
}

#[tokio::test]
async fn what_draws_on_a_terminal_is_refused_where_there_is_none() {
    let served = Served::start().await;
    let (ending, written) = run(&served, false, "watch").await;
    let error = ending.unwrap_err();
    assert!(error.is::<failure::Usage>(), "{error}");
    assert!(error.to_string().contains("events --follow"), "{error}");
    assert_eq!(written, "");
}

#[tokio::test]
async fn so_much_of_an_identifier_as_only_one_has_is_enough() {
    let served = Served::start().await;
    let whole = operation_id(1).to_string();
    let end = whole.get(whole.len() - 6..).unwrap();
    for part in [end.to_owned(), end.to_lowercase(), whole.clone()] {
        let shown = done_with(&served, false, &format!("operation show {part}")).await;
        assert!(shown.contains(&whole), "{part}: {shown}");
    }
    let (ending, _) = run(&served, false, "operation show op-nosuch").await;
    let error = ending.unwrap_err().to_string();
    assert!(error.contains("`op-nosuch`"), "{error}");
    let id = backup_id(1).to_string();
    let shown = done_with(&served, false, "backup show ful-01K").await;
    assert!(shown.contains(&id), "{shown}");
}

#[tokio::test]
async fn one_target_is_shown_in_full() {
    let served = Served::start().await;
    let shown = done_with(&served, false, "status api").await;
    for expected in [
        "api  failed",
        "open: it fails",
        "pid 4242, 2 restarts",
        "inc-01K",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let json = done_with(&served, true, "status api").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["name"], "api");
    assert_eq!(json["pid"], 4242);
    assert_eq!(json["checks"][0]["elapsed_ms"], 1.5);
    for expected in ["connection refused", "1.5 ms", "FATAL: no space left"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let logs = done_with(&served, false, "logs api -n 1").await;
    assert_eq!(logs, "FATAL: no space left\n");
}

#[tokio::test]
async fn in_a_pipe_each_record_is_one_line_without_tabs() {
    let served = Served::start().await;
    for line in ["status --all", "plugin list", "incidents", "history"] {
        let written = done_with(&served, false, line).await;
        assert!(!written.contains('\t'), "{line}: {written}");
    }
    let history = done_with(&served, false, "history").await;
    assert_eq!(history.lines().count(), 2, "{history}");
    let status = done_with(&served, false, "status").await;
    assert!(status.starts_with("needs a person: "), "{status}");
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_told_with_its_socket() {
    let error = error_of("mainstay --socket /no/such.sock status").await;
    assert_eq!(
        error,
        "the daemon is not running: nobody listens on /no/such.sock"
    );
    let error = error_of("mainstay --config /no/such.toml status").await;
    assert!(error.contains("/no/such.toml"), "{error}");
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_given_up_after_the_timeout() {
    // It is installed already where another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("mainstay.sock");
    let _never_accepts = tokio::net::UnixListener::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap();
    for command in [
        "status",
        "events --follow",
        "pause --by ann",
        "backup create state",
        "recover api --failure f --wait --by ann",
    ] {
        let line = format!("mainstay --socket {socket} --timeout 20ms {command}");
        let error = error_of(&line).await;
        assert!(error.contains("has not answered within 20ms"), "{error}");
        assert!(error.contains(socket), "{error}");
    }
}

#[test]
fn every_command_has_a_manual_with_examples_and_exit_codes() {
    fn visit(command: &mut clap::Command, path: &str, manual: &mut String) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        let help = command.render_long_help().to_string();
        let is_group = command.has_subcommands() && path != "mainstay";
        if !is_group && command.get_name() != "help" {
            for part in ["Exit codes:", "Examples:"] {
                assert!(help.contains(part), "{path} has no {part}\n{help}");
            }
            let codes = help.split("Exit codes:").nth(1).unwrap_or_default();
            let of_three = ["xit code 3", "exit code is 3"];
            let says_three = of_three.iter().any(|words| help.contains(words));
            assert_eq!(codes.contains("\n  3  "), says_three, "{path}\n{help}");
            // They are not wrapped, and have to fit a usual terminal as they are.
            let examples = help.split("Examples:").nth(1).unwrap_or_default();
            let too_long = examples.lines().find(|line| line.chars().count() > 80);
            assert_eq!(too_long, None, "{path}");
        }
        manual.push_str(&format!("===== {path} =====\n{help}\n"));
        let names: Vec<String> = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name().to_owned())
            .collect();
        for name in names.iter().filter(|name| *name != "help") {
            visit(command.find_subcommand_mut(name).unwrap(), &path, manual);
        }
    }
    let mut manual = String::new();
    let mut command = Cli::command().term_width(100);
    command.build();
    visit(&mut command, "", &mut manual);
    insta::assert_snapshot!("manual", manual);
}

#[tokio::test]
async fn what_cannot_be_done_to_one_target_is_done_to_the_others() {
    let served = Served::start().await;
    let written = done_with(&served, false, "restart api redis --by ann").await;
    for name in ["api", "redis"] {
        assert!(
            written.contains(&format!("restart of {name} is")),
            "{written}"
        );
    }
    let (ending, written) = run(&served, false, "restart nobody redis --by ann").await;
    assert_eq!(ending.unwrap(), Ending::Failed);
    assert!(written.contains("restart of redis is"), "{written}");
}

#[test]
fn bad_usage_is_refused_with_what_is_allowed() {
    fn check(line: &str, expected: &str) {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(expected), "{line}: {error}");
    }
    check("mainstay recover API --failure f", "a-z, 0-9");
    check("mainstay recover api", "--failure");
    check("mainstay backup restore state", "--into");
    check("mainstay backup restore state", "--replace");
    check("mainstay stop", "<TARGET>");
    check("mainstay init --now", "--service");
    let taken = "mainstay init --service s --from procfile Procfile --now";
    check(taken, "cannot be used with");
    check("mainstay init --with email,Page", "a-z, 0-9");
    check("mainstay init --with email,Page", "write \"page\"");
    check("mainstay restart Web_1", "write \"web-1\"");
    check(
        "mainstay plugin forget Log-File@1.0.0",
        "write \"log-file\"",
    );
    check("mainstay operation show 7", "op-01K");
    check("mainstay note 7 text", "inc-01K");
    let doubt = "mainstay operation resolve op-01K0000000000000000000000A 3";
    check(doubt, "--happened");
    check(
        &format!("{doubt} --happened --did-not"),
        "cannot be used with",
    );
    check(
        &format!("{doubt} --did-not --answer a.json"),
        "cannot be used with",
    );
    let signal = "mainstay operation signal op-01K0000000000000000000000A";
    check(&format!("{signal} No"), "a-z, 0-9");
    check(&format!("{signal} go now"), "no JSON");
    check("mainstay history --state done", "awaiting-manual");
    check("mainstay history --before 7", "op-01K");
    check("mainstay incidents --before op-1", "inc-01K");
    check("mainstay history --since lately", "90s, 15m, 24h or 7d");
    check("mainstay history --since 5x", "RFC 3339");
    check("mainstay history --since 5x", "14:41:00, 2026-01-31");
    let hold = "mainstay backup hold ful-01K0 --until";
    check(&format!("{hold} soon"), "14:41:00, 2026-01-31");
    check(&format!("{hold} 7d"), "RFC 3339");
    check("mainstay events --since lately", "like 1200");
    check("mainstay incidents --since lately", "90s, 15m, 24h or 7d");
    check("mainstay status --timeout 5", "500ms, 10s or 2m");
    check("mainstay status --timeout 0s", "from 1ms");
    check("mainstay backup create state --type half", "differential");
    check("mainstay backup restore state", "--into");
    check(
        "mainstay plugin new x --kind y",
        "recovery-handler, alerter",
    );
    check("mainstay explain MS-9999", "`mainstay explain` lists them");
}

#[test]
fn lengths_and_times_are_both_taken_for_since() {
    let since = |text: &str| {
        let cli = Cli::try_parse_from(["mainstay", "history", "--since", text]).unwrap();
        let Command::History(arguments) = cli.command else {
            panic!("another command")
        };
        arguments.since.unwrap()
    };
    use arguments::Since;
    use std::time::Duration;
    assert_eq!(since("90s"), Since::Ago(Duration::from_secs(90)));
    assert_eq!(since("7d"), Since::Ago(Duration::from_secs(7 * 86_400)));
    assert!(matches!(since("2026-01-31T12:00:00Z"), Since::Time(_)));
    let east = since("2026-01-31T14:00:00+02:00");
    assert_eq!(east, since("2026-01-31T12:00:00Z"));
    for shown in ["14:41:00", "2030-01-01", "2026-01-31 14:41:00", "yesterday"] {
        assert!(matches!(since(shown), Since::Shown(_)), "{shown}");
    }
    let since_event = |text: &str| {
        let cli = Cli::try_parse_from(["mainstay", "events", "--since", text]).unwrap();
        let Command::Events(arguments) = cli.command else {
            panic!("another command")
        };
        arguments.since.unwrap()
    };
    use arguments::SinceEvent;
    assert_eq!(since_event("1200"), SinceEvent::Seq(1200));
    let hour = SinceEvent::Time(Since::Ago(Duration::from_secs(3_600)));
    assert_eq!(since_event("1h"), hour);
    let time = since_event("2026-01-31T12:00:00Z");
    assert!(matches!(time, SinceEvent::Time(Since::Time(_))));
}
