//! Every view at every width, over what is hard to show: long names and reasons, many targets, wide characters.

use crate::cli::{
    backups::{backup_table, verdict_table},
    incident::incident_blocks,
    layout::{Block, Style, lay_out},
    records::{event_block, incident_table, operation_table},
    silences::silence_table,
    status::{Wanted, plugins_view, target_view, view},
    story::story,
    times::Times,
};
use jiff::tz::TimeZone;
use mainstay_api::{Backup, Incident, Operation, PluginRow, Silence, Verdict};
use mainstay_domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{fs, path::Path};

const WIDTHS: [usize; 4] = [60, 80, 120, 200];

/// The longest name that a target may have.
const LONG: &str = "the-payment-gateway-of-the-second-data-centre-with-a-long-name1";

fn times() -> Times {
    let now = Timestamp::parse("2026-03-04T12:00:00Z").unwrap();
    Times::at(now, TimeZone::UTC)
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn id(kind: &str, number: u32) -> String {
    format!("{kind}-01K0000000000000000000{number:04}")
}

fn targets() -> Value {
    let row = |name: &str, health: &str| {
        json!({
            "name": name, "health": health, "circuit": "closed", "incident": null, "operation": null, "priority": 5,
            "paused": false, "pid": 4242, "restarts": 0,
        })
    };
    let mut rows: Vec<Value> = (1..=295)
        .map(|number| row(&format!("worker-{number}"), "healthy"))
        .collect();
    let odd = [
        (LONG, "failed"),
        ("datenbank", "degraded"),
        ("quiet", "unknown"),
        ("stopped", "unknown"),
        ("nightly", "unknown"),
    ];
    rows.extend(odd.map(|(name, health)| row(name, health)));
    for target in rows.iter_mut().skip(295) {
        let name = target["name"].as_str().unwrap().to_owned();
        match name.as_str() {
            LONG => {
                target["circuit"] = json!("open");
                target["incident"] = json!(id("inc", 1));
                target["operation"] = json!(id("op", 1));
                target["waits"] = json!(format!(
                    "its handler needs an operator: `mainstay approve {}` lets it run, `mainstay reject` ends it",
                    id("op", 1)
                ));
            }
            "datenbank" => {
                target["circuit"] = json!("half-open");
                target["rests"] = json!({"until": "2026-03-04T12:03:00Z", "why": "cooldown of 300 s after the last attempt"});
            }
            "quiet" => {
                target["unseen"] =
                    json!({"since": "2026-03-03T23:59:59Z", "why": "no descriptor is free"});
            }
            "stopped" => {
                target["pid"] = json!(null);
                target["stopped"] =
                    json!("stopped by ann: 日本語の理由で止めました、新しいディスクが来るまで");
            }
            _ => target["completed"] = json!(true),
        }
    }
    Value::Array(rows)
}

fn plugins() -> Value {
    let row = |name: &str, state: &str, error: Option<&str>| {
        json!({
            "name": name, "version": "1.0.0", "kind": "recovery-handler", "state": state, "contract": "1.0.0",
            "file": format!("plugins/{name}.wasm"), "digest": "00", "serves": ["api-gateway-down", "redis-down"],
            "calls": 12, "failures": 0, "last_error": error, "quarantined": false,
        })
    };
    let mut webhook = row("webhook", "serving", None);
    webhook["instances"] = json!([
        {"name": "page-by-day", "calls": 3, "failures": 0, "last_error": null, "quarantined": false},
        {"name": "page-by-night", "calls": 4, "failures": 4, "quarantined": true,
         "last_error": "https://pager.example/v2/enqueue answered 503, as it does since the move to the other data centre"},
    ]);
    json!([
        row("restart-service", "serving", None),
        webhook,
        row("old-one", "retired", None),
        row("older-one", "retired", None),
        row(
            "bad-one",
            "rejected",
            Some(
                "cannot load plugins/bad-one.wasm: it exports other:thing/world@2.0.0, and this host speaks 1.0.0"
            )
        ),
    ])
}

fn status_json() -> Value {
    json!({
        "host": {
            "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
            "contract_versions": ["1.0.0"], "config_digest": "00", "paused": true, "paused_until": "2026-03-04T13:00:00Z",
        },
        "targets": targets(),
        "plugins": plugins(),
        "jobs": [
            {"name": "state", "last_verified": "2026-03-04T03:00:00Z", "last_status": "verified",
             "next_due": "2026-03-05T03:00:00Z", "rpo_met": true},
            {"name": "ledger", "last_verified": "2026-02-01T03:00:00Z", "last_status": "failed",
             "next_due": "2026-03-04T12:15:00Z", "rpo_met": false},
        ],
        "last_reload": {"at": "2026-03-04T11:59:00Z", "ok": false, "error": "mainstay.toml:3:1: unknown key `x` in [host]"},
        "unhandled_routes": ["the route for redis-down has no handler that serves: restart-service ^2 is missing"],
        "maintenance": [
            {"targets": [LONG, "datenbank"], "since": "2026-03-04T11:00:00Z", "until": "2026-03-04T13:30:00Z",
             "holds_alerts": true, "pauses_recovery": true},
        ],
        "silences": (1..=7).map(|number| silence(number, "datenbank", "new disks")).collect::<Vec<Value>>(),
    })
}

fn silence(number: u32, target: &str, reason: &str) -> Value {
    json!({
        "id": id("sil", number), "target": target, "alert": null, "since": "2026-03-04T11:00:00Z",
        "until": "2026-03-04T14:00:00Z", "reason": reason, "by": "ann", "note": null,
    })
}

fn incidents() -> Value {
    let seen = json!([{
        "check": "http", "observed_at": "2026-03-04T11:55:00Z", "value": null,
        "message": "GET http://127.0.0.1:8080/health: connection refused, after three redirects and a long explanation of why",
        "output": "starting\nFATAL: 設定ファイルが見つかりません\n    at main.rs:12",
    }]);
    let row = |number: u32, target: &str, state: &str, closed: Option<&str>| {
        json!({
            "id": id("inc", number), "target": target, "failure": "api-gateway-down", "severity": "high", "state": state,
            "opened_at": "2026-03-04T11:55:00Z", "closed_at": closed, "recurrence": 2, "evidence": seen, "affected": [],
        })
    };
    json!([
        row(2, "worker-1", "recovered", Some("2026-03-04T11:56:00Z")),
        row(1, LONG, "escalated", None),
    ])
}

fn operation() -> Value {
    json!({
        "id": id("op", 1), "incident": id("inc", 1), "target": LONG, "failure": "api-gateway-down", "severity": "high",
        "mode": "automatic", "state": "awaiting-manual", "attempts": 2, "handler": "restart-service",
        "handler_version": "1.0.0", "handler_digest": "00", "actions": ["restarted it", "flushed the cache"],
        "error": "commands.run flush-cache ended with exit code 3, and the checks still fail after five seconds of waiting",
        "detected_at": "2026-03-04T11:55:00Z", "started_at": "2026-03-04T11:55:01Z", "finished_at": null,
        "recovery_ms": 7200, "rto_exceeded": true, "escalated": true, "dry_run": false,
        "revision": 4, "steps": ["look at the disk of the second data centre", "approve"],
        "output": "starting\nFATAL: no space left on device",
    })
}

fn detail() -> Value {
    let mut detail = operation();
    let intent = |seq: u32, effect: &str, request: Value| {
        json!({
            "seq": seq, "at": "2026-03-04T11:55:01.000Z", "kind": "intent", "effect": effect, "request": request,
            "response": null, "outcome": null,
        })
    };
    let result = |seq: u32, effect: &str, response: Value, outcome: &str| {
        json!({
            "seq": seq, "at": "2026-03-04T11:55:01.120Z", "kind": "result", "effect": effect, "request": {},
            "response": response, "outcome": outcome,
        })
    };
    detail["waits"] = json!(format!("`mainstay approve {}`", id("op", 1)));
    detail["journal"] = json!([
        intent(1, "targets.restart", json!({"target": LONG})),
        result(1, "targets.restart", json!("done"), "done"),
        intent(
            2,
            "commands.run",
            json!({"command": "flush-cache", "arguments": ["--all"]})
        ),
        result(
            2,
            "commands.run",
            json!({"output": {"exit_code": 3, "stdout": "", "stderr": "cannot open the cache\nno space left on device\n",
                              "truncated": false}}),
            "done"
        ),
        intent(
            3,
            "http.send",
            json!({"method": "POST", "url": "http://127.0.0.1:9000/flush"})
        ),
        result(
            3,
            "http.send",
            json!(null),
            "timed out: no answer within 5 s"
        ),
        intent(4, "targets.stop", json!({"target": LONG})),
    ]);
    detail
}

fn backups() -> Value {
    let row = |number: u32, kind: &str, prefix: &str, status: &str| {
        json!({
            "id": id(prefix, number), "job": "ledger", "type": kind, "status": status, "tier": "local",
            "created_at": "2026-03-04T03:00:00Z", "parent": null, "base": id("ful", 1), "documents": 123_456,
            "tombstones": 0, "size_bytes": 123_456_789, "stored_bytes": 23_456_789, "root_hash": "cd".repeat(32),
            "verified_at": null, "held": false, "expires": "2026-04-04T03:00:00Z", "reason": null,
        })
    };
    json!([
        row(2, "incremental", "add", "verified"),
        row(1, "full", "ful", "corrupted"),
    ])
}

/// Every view with its name.
fn views() -> Vec<(&'static str, Vec<Block>)> {
    let times = times();
    let status = read(status_json());
    let incidents: Vec<Incident> = read(incidents());
    let wanted = |all| Wanted {
        all,
        together: false,
    };
    let event = json!({
        "seq": 1234, "at": "2026-03-04T11:55:00Z", "kind": "operation.awaiting-manual", "severity": "high",
        "target": LONG, "plugin": "restart-service@1.0.0", "operation": id("op", 1), "backup": null, "job": null,
        "message": format!("operation {} waits for a person: {}", id("op", 1), "look at the disk first"), "data": {},
    });
    let reason = "moving to new disks, which takes as long as it takes";
    let silences = json!([silence(1, LONG, reason)]);
    let verdicts = json!([{
        "id": id("ful", 1), "keep": false, "expires": null,
        "reason": "older than 30 days, and the newest of its week, month and year is another one",
    }]);
    let plugins: Vec<PluginRow> = read(plugins());
    vec![
        ("status", view(&status, &incidents, &times, wanted(false))),
        (
            "status TARGET",
            target_view(&read(target_detail()), &incidents, &times),
        ),
        (
            "incidents",
            vec![Block::Table(incident_table(&incidents, &times))],
        ),
        (
            "incident show",
            incident_blocks(&read(incidents_first()), &times),
        ),
        (
            "history",
            vec![Block::Table(operation_table(
                &[read::<Operation>(operation())],
                &times,
            ))],
        ),
        ("operation show", story(&read(detail()), &times)),
        ("events", vec![event_block(&read(event), &times, true)]),
        ("plugin list", plugins_view(&plugins, false)),
        ("plugin list --all", plugins_view(&plugins, true)),
        (
            "backup list",
            vec![Block::Table(backup_table(
                &read::<Vec<Backup>>(backups()),
                &times,
            ))],
        ),
        (
            "backup prune",
            vec![Block::Table(verdict_table(
                &read::<Vec<Verdict>>(verdicts),
                &[],
                &times,
            ))],
        ),
        (
            "silences",
            vec![Block::Table(silence_table(
                &read::<Vec<Silence>>(silences),
                &times,
            ))],
        ),
    ]
}

fn target_detail() -> Value {
    let rows = targets();
    let mut detail = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == LONG)
        .unwrap()
        .clone();
    detail["checks"] = json!([
        {"check": "http", "outcome": "failed", "message": "connection refused by 127.0.0.1:8080 after three tries",
         "value": null, "at": "2026-03-04T11:59:58Z", "elapsed_ms": 1.25},
        {"check": "memory", "outcome": "healthy", "message": "12.5 % of 64 MiB", "value": 12.5,
         "at": "2026-03-04T11:59:59Z", "elapsed_ms": 0.125},
        {"check": "heartbeat", "outcome": null, "message": null, "value": null, "at": null, "elapsed_ms": null},
    ]);
    detail["log"] = json!("starting\nFATAL: 設定ファイルが見つかりません");
    detail
}

fn incidents_first() -> Value {
    incidents()[1].clone()
}

/// All 300 targets.
fn all_of_status() -> Vec<Block> {
    let wanted = Wanted {
        all: true,
        together: false,
    };
    view(
        &read(status_json()),
        &read::<Vec<Incident>>(incidents()),
        &times(),
        wanted,
    )
}

fn style(width: Option<usize>, colour: bool) -> Style {
    Style { width, colour }
}

/// The columns of a line, as a terminal counts them.
fn columns(line: &str) -> usize {
    use unicode_width::UnicodeWidthChar;
    line.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').unwrap().1);
    }
    plain
}

#[test]
fn every_view_reads_at_every_width() {
    for width in WIDTHS {
        for colour in [false, true] {
            let mut text = String::new();
            for (name, blocks) in views() {
                let lines = lay_out(&blocks, style(Some(width), colour));
                text.push_str(&format!("$ mainstay {name}\n{}\n\n", lines.join("\n")));
            }
            let coloured = if colour { "_coloured" } else { "" };
            insta::assert_snapshot!(format!("views_{width}{coloured}"), text);
        }
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_a_colour_changes_nothing_else() {
    for width in WIDTHS {
        for (name, blocks) in views()
            .into_iter()
            .chain([("status --all", all_of_status())])
        {
            let lines = lay_out(&blocks, style(Some(width), false));
            for line in &lines {
                assert!(columns(line) <= width, "{name} at {width}: {line}");
                assert!(!line.ends_with(' '), "{name} at {width}: {line}");
            }
            let coloured = lay_out(&blocks, style(Some(width), true));
            let without: Vec<String> = coloured.iter().map(|line| plain(line)).collect();
            assert_eq!(without, lines, "{name} at {width}");
        }
    }
}

#[test]
fn no_identifier_and_no_word_is_cut_at_any_width() {
    for (name, blocks) in views() {
        let whole = lay_out(&blocks, style(None, false)).join("\n");
        let words: Vec<&str> = whole.split_whitespace().collect();
        let is_id = |word: &&str| {
            let kinds = ["inc-0", "op-0", "ful-0", "add-0", "sil-0"];
            kinds
                .iter()
                .any(|kind| word.trim_matches('`').starts_with(kind))
        };
        for width in WIDTHS {
            let lines = lay_out(&blocks, style(Some(width), false)).join("\n");
            for id in words.iter().filter(|word| is_id(word)) {
                assert!(lines.contains(id), "{name} at {width} has no {id}");
            }
            // What a line can hold is in one line; the columns of a table have their names in other letters.
            let shown: Vec<&str> = lines.split_whitespace().collect();
            let short = words.iter().filter(|word| columns(word) <= width - 10);
            for word in short.filter(|word| word.chars().any(char::is_lowercase)) {
                assert!(shown.contains(word), "{name} at {width} cuts {word}");
            }
        }
    }
}

#[test]
fn status_says_what_needs_a_person_first_then_the_worst_and_counts_the_rest() {
    let (_, blocks) = views().swap_remove(0);
    let lines = lay_out(&blocks, style(Some(80), false));
    assert!(
        lines[0].starts_with("needs a person: the recovery of"),
        "{lines:#?}"
    );
    let at = |text: &str| {
        let found = lines.iter().position(|line| line.starts_with(text));
        found.unwrap_or_else(|| panic!("no line begins with {text}: {lines:#?}"))
    };
    let order = [
        "last reload 11:59:00, 60 s ago  refused",
        "the route for redis-down",
        "automatic recovery of the host is PAUSED",
        "maintenance of the-payment",
        "silence of datenbank by ann (new disks), ends in 2 h, at 14:00:00",
        "… and 2 more silences; `mainstay silences` lists them",
        "the-payment-gateway",
        "datenbank",
        "quiet",
        "stopped",
        "targets: 295 healthy, 1 completed; `mainstay status --all` lists them",
        "webhook",
        "└ page-by-night",
        "bad-one",
        "plugins: 1 serving, 2 retired",
        "ledger",
        "backups: 1 job in order",
        "db1  mainstay 0.1.0",
    ];
    let places = order.map(at);
    assert!(places.is_sorted(), "{places:?} {lines:#?}");
    assert!(lines.len() < 80, "{}", lines.len());
    let all = lay_out(&all_of_status(), style(Some(80), false)).join("\n");
    assert!(all.contains("worker-295"), "{all}");
}

#[test]
fn in_a_pipe_each_record_of_each_view_is_one_line() {
    let tables = views().into_iter().filter(|(name, _)| {
        [
            "incidents",
            "history",
            "events",
            "backup list",
            "backup prune",
            "silences",
        ]
        .contains(name)
    });
    for (name, blocks) in tables {
        let lines = lay_out(&blocks, style(None, false));
        let records = match name {
            "events" => 1,
            "history" | "backup prune" | "silences" => 2,
            _ => 3,
        };
        assert_eq!(lines.len(), records, "{name}: {lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\t')), "{name}");
    }
}

#[test]
fn an_operation_is_a_story_with_what_failed_and_what_was_printed() {
    let text = lay_out(&story(&read(detail()), &times()), style(Some(200), false)).join("\n");
    for expected in [
        "  1  11:55:01.000  targets.restart  target=the-payment",
        "done, 120 ms  exit code 3",
        "stderr | no space left on device",
        "timed out: no answer within 5 s",
        "no answer so far",
        "FATAL: no space left on device",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// The marks that are no words of the API; those are held to the glossary beside its forms.
#[test]
fn every_mark_of_the_views_stands_in_the_glossary() {
    let glossary = include_str!("../../../../../docs/glossary.md");
    let shown: String = views()
        .iter()
        .map(|(_, blocks)| lay_out(blocks, style(None, false)).join("\n") + "\n")
        .collect();
    let marks = [
        "quarantined",
        "completed",
        "nothing yet",
        "met",
        "missed",
        "held",
        "keep",
        "expire",
        "PAUSED",
        "not delivered",
    ];
    for mark in marks {
        assert!(glossary.contains(&format!("| `{mark}` |")), "{mark}");
    }
    // These are in the samples, so a mark that is renamed is missed.
    for mark in ["quarantined", "completed"] {
        assert!(shown.contains(mark), "{mark} is not shown any more");
    }
}

#[test]
fn the_docs_show_every_view_at_every_width() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/views");
    for width in WIDTHS {
        let shown = views().into_iter().map(|(name, blocks)| {
            let lines = lay_out(&blocks, style(Some(width), false));
            format!("$ mainstay {name}\n{}\n", lines.join("\n"))
        });
        let text = shown.collect::<Vec<String>>().join("\n");
        let file = directory.join(format!("{width}.txt"));
        if std::env::var_os("MAINSTAY_RENEW").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == text,
            "{} is not what the program shows; MAINSTAY_RENEW=1 cargo test -p mainstay the_docs_show",
            file.display()
        );
    }
}
