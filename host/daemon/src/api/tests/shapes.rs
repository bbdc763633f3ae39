//! Every shape that other programs rely on; additive only.

use super::*;
use crate::ports::fakes::{NOW, backup, backup_id, operation_id};
use mainstay_domain::{
    backup::BackupStatus,
    checkpoint::{Checkpoint, CheckpointKind},
    event::{AlertDelivery, Event, EventKind},
    id::AlertId,
    name::PluginName,
    severity::Severity,
};
use serde_json::json;
use std::sync::atomic::Ordering;

/// One line for each field, so that a difference is seen at once.
fn pretty(text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect(text);
    serde_json::to_string_pretty(&value).unwrap()
}

#[tokio::test]
async fn what_is_read_has_its_documented_shape() {
    let served = Served::start().await;
    for (name, path) in [
        ("status", "/v1/status".to_owned()),
        ("plugins", "/v1/plugins".to_owned()),
        ("incidents", "/v1/incidents?open=true".to_owned()),
        (
            "history",
            "/v1/operations?target=api&since=2024-01-01T00:00:00Z".to_owned(),
        ),
        ("operation", format!("/v1/operations/{}", operation_id(1))),
        ("target", "/v1/targets/api".to_owned()),
        ("target_log", "/v1/targets/api/log".to_owned()),
        ("health", "/v1/health".to_owned()),
        ("nodes", "/v1/nodes".to_owned()),
        ("backups", "/v1/backups?job=state".to_owned()),
        ("backup", format!("/v1/backups/{}", backup_id(1))),
    ] {
        let (status, text) = get(&served, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        insta::assert_snapshot!(name, pretty(&text));
    }
}

#[tokio::test]
async fn a_host_that_is_amiss_lives_and_is_not_ready() {
    let served = Served::start().await;
    // The wall clock says a minute.
    served.world.clock_ms.store(7_000, Ordering::SeqCst);
    let (status, text) = get(&served, "/live").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text, r#"{"live":true,"uptime_ms":7000}"#);
    let (status, text) = get(&served, "/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let error: Value = serde_json::from_str(&text).unwrap();
    let expected = "the host is not ready: mode heuristic, 1 failed target";
    assert_eq!(error["error"], expected);
    assert!(error["help"].as_str().unwrap().contains("mainstay health"));
}

#[tokio::test]
async fn filters_filter() {
    let served = Served::start().await;
    for path in [
        "/v1/operations?target=redis",
        "/v1/operations?failure=redis-down",
        "/v1/operations?state=failed",
        "/v1/operations?since=2027-01-01T00:00:00Z",
        "/v1/operations?limit=0",
        "/v1/incidents?limit=0",
        "/v1/renames?target=redis",
        "/v1/audit?limit=0",
        "/v1/audit?before=1",
        "/v1/audit?since=2100-01-01T00:00:00Z",
        "/v1/incidents?target=redis",
        "/v1/incidents?since=2027-01-01T00:00:00Z",
    ] {
        assert_eq!(get(&served, path).await.1, "[]", "{path}");
    }
}

/// Puts into the world's events that an alert was delivered, and that the next was given up.
fn end_two_alerts(served: &Served) {
    let pager = PluginName::parse("pager").unwrap();
    let mut events = served.world.events.lock();
    for (kind, alert) in [
        (EventKind::AlertDelivered, "alr-01K0000000000000000000000A"),
        (EventKind::AlertAbandoned, "alr-01K0000000000000000000000B"),
    ] {
        let facts = AlertDelivery {
            alert: AlertId::parse(alert).unwrap(),
            alerter: pager.clone(),
            attempt: 1,
            detail: "it said so".to_owned(),
            in_place_of: Vec::new(),
        };
        let mut event = Event::new(kind, Severity::High, NOW, "an alert ended")
            .with_plugin(&pager)
            .with_data(facts);
        event.seq = events.last().map_or(1, |last| last.seq + 1);
        events.push(event);
    }
}

#[tokio::test]
async fn the_history_of_alerts_has_those_that_were_given_up_too_and_is_read_by_pages() {
    let served = Served::start().await;
    assert_eq!(get(&served, "/v1/alerts/history").await.1, "[]");
    end_two_alerts(&served);
    let kinds = async |query: &str| -> Vec<String> {
        let (status, text) = get(&served, &format!("/v1/alerts/history{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {text}");
        let found: Vec<Value> = serde_json::from_str(&text).unwrap();
        let words = found.iter().map(|event| event["kind"].as_str().unwrap());
        words.map(str::to_owned).collect()
    };
    let (delivered, abandoned) = ("alert.delivered", "alert.abandoned");
    assert_eq!(kinds("").await, [abandoned, delivered]);
    assert_eq!(kinds("?alerter=pager&limit=1").await, [abandoned]);
    assert_eq!(kinds("?abandoned=true").await, [abandoned]);
    assert_eq!(kinds("?alerter=mail").await, [""; 0]);
    assert_eq!(kinds("?since=2100-01-01T00:00:00Z").await, [""; 0]);
    let (_, text) = get(&served, "/v1/alerts/history?limit=1").await;
    let page: Value = serde_json::from_str(&text).unwrap();
    let next = format!("?before={}", page[0]["seq"]);
    assert_eq!(kinds(&next).await, [delivered]);
    assert_eq!(page[0]["data"]["detail"], "it said so", "{page}");

    let (status, text) = get(&served, "/v1/alerts/history?alerter=pagger").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    assert!(text.contains("did you mean `pager`?"), "{text}");
}

#[tokio::test]
async fn events_are_one_object_a_line() {
    let served = Served::start().await;
    let (_, text) = get(&served, "/v1/events").await;
    assert_eq!(text.lines().count(), 2);
    insta::assert_snapshot!("event", pretty(text.lines().last().unwrap()));
    let (_, after) = get(&served, "/v1/events?since=1").await;
    assert_eq!(
        after.lines().collect::<Vec<_>>(),
        [text.lines().last().unwrap()]
    );
    assert_eq!(get(&served, "/v1/events?since=2").await.1, "");
}

#[tokio::test]
async fn long_work_ends_with_one_result() {
    let served = Served::start().await;
    served.world.gate.add_permits(100);
    for (name, path, body) in [
        ("create", "/v1/backups", json!({"job": "state"})),
        (
            "restore",
            "/v1/restore",
            json!({"job": "state", "into": "/tmp/x"}),
        ),
        ("drill", "/v1/drill", json!({"job": "state"})),
        ("prune", "/v1/prune", json!({"dry_run": true})),
    ] {
        let (status, text) = post(&served, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        insta::assert_snapshot!(name, pretty(text.lines().last().unwrap()));
    }
}

#[tokio::test]
async fn who_takes_an_incident_on_reaches_the_engine_and_is_answered_the_incident() {
    let served = Served::start().await;
    let (_, incidents) = get(&served, "/v1/incidents").await;
    let incidents: Value = serde_json::from_str(&incidents).unwrap();
    let id = incidents[0]["id"].as_str().unwrap();
    let body = json!({"by": "ann", "reason": "I look"});
    let (status, text) = post(&served, &format!("/v1/incidents/{id}/ack"), body).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answered: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answered["id"], id);
    let commands = served.world.commands.lock().clone();
    let words = format!("take on {id}, ");
    let reached = commands.iter().find(|command| command.starts_with(&words));
    assert!(
        reached.is_some_and(|command| command.ends_with(": I look") && command.contains("ann")),
        "{commands:?}"
    );
    let other = "/v1/incidents/inc-01K0000000000000000000000Z/ack";
    let (status, text) = post(&served, other, json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
}

#[tokio::test]
async fn commands_reach_the_engine_with_who_and_why() {
    let served = Served::start().await;
    let id = operation_id(1);
    let recover = json!({"target": "api", "failure": "api-gateway-down", "by": "ann"});
    let (_, scheduled) = post(&served, "/v1/recover", recover).await;
    assert_eq!(
        scheduled,
        format!("{{\"operation\":\"{}\"}}", operation_id(2))
    );
    for verb in ["approve", "reject", "cancel"] {
        let body = json!({"by": "ann", "reason": "tested"});
        let (status, text) = post(&served, &format!("/v1/operations/{id}/{verb}"), body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    }
    for (path, body, paused) in [
        ("/v1/pause", json!({"by": "ann"}), true),
        ("/v1/resume", json!({"by": "ann"}), false),
        ("/v1/pause", json!({"by": "ann", "target": "api"}), false),
    ] {
        assert_eq!(post(&served, path, body).await.0, StatusCode::NO_CONTENT);
        let (_, text) = get(&served, "/v1/status").await;
        let host: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(host["host"]["paused"], paused, "after {path}");
    }
    let phase = json!({"phase": "safe", "by": "ann", "reason": "tested"});
    let (status, text) = post(&served, "/v1/phase", phase).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&shown["phase"], &shown["least"]),
        (&json!("safe"), &Value::Null)
    );
    assert_eq!(shown["changes"][0]["reason"], "tested");
    let refused = post(&served, "/v1/phase", json!({"phase": "launch"})).await;
    assert_eq!(refused.0, StatusCode::CONFLICT, "{}", refused.1);
    let policy = json!({"set": {"max_attempts": 2}, "by": "ann", "reason": "tested"});
    let (status, text) = post(&served, "/v1/targets/api/policy", policy).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["set"]["max_attempts"], 2);
    assert_eq!(
        get(&served, "/v1/targets/api/policy").await.0,
        StatusCode::OK
    );
    post(&served, "/v1/heartbeat/api", json!({})).await;
    let forgotten = json!({"name": "fixer", "version": "1.0.0+abc", "by": "ann"});
    let (status, text) = post(&served, "/v1/plugins/forget", forgotten).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    let no_version = json!({"name": "fixer", "version": "one", "by": "ann"});
    let (status, text) = post(&served, "/v1/plugins/forget", no_version).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    let commands = served.world.commands.lock().join("\n");
    insta::assert_snapshot!("commands", commands);
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_status_that_is_asked_for_next() {
    let served = Served::start().await;
    let gathered = || served.world.gathered.load(Ordering::SeqCst);
    get(&served, "/v1/status").await;
    let before = gathered();
    // No event tells of it, and the clock stands still.
    let end = json!({"id": "sil-01K0000000000000000000000A", "by": "ann"});
    let (status, text) = post(&served, "/v1/unsilence", end).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    for _ in 0..3 {
        get(&served, "/v1/status").await;
        assert_eq!(gathered(), before + 1);
    }
    // What is refused or only read has done nothing.
    let refused = post(&served, "/v1/unsilence", json!({"id": "no"})).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.1);
    get(&served, "/v1/silences").await;
    get(&served, "/v1/status").await;
    assert_eq!(gathered(), before + 1);
}

#[tokio::test]
async fn a_signal_reaches_the_engine_with_what_comes_with_it() {
    let served = Served::start().await;
    let path = format!("/v1/operations/{}/signal", operation_id(1));
    for (body, expected) in [
        (json!({"name": "go", "by": "ann"}), StatusCode::ACCEPTED),
        (
            json!({"name": "drained", "value": {"left": 0}}),
            StatusCode::ACCEPTED,
        ),
        (json!({"name": "No name"}), StatusCode::BAD_REQUEST),
    ] {
        let (status, text) = post(&served, &path, body).await;
        assert_eq!(status, expected, "{text}");
    }
    let commands = served.world.commands.lock().clone();
    let [go, drained] = &commands[..] else {
        panic!("{commands:?}");
    };
    let id = operation_id(1);
    assert!(go.starts_with(&format!("Signal go to {id} by ")), "{go}");
    assert!(go.contains("ann") && go.ends_with(": "), "{go}");
    assert!(drained.ends_with(": {\"left\":0}"), "{drained}");
    let (status, text) = post(&served, &path, json!({"value": 1})).await;
    assert!(status.is_client_error(), "{status} {text}");
    let nobody = format!("/v1/operations/{}/signal", operation_id(9));
    let (status, text) = post(&served, &nobody, json!({"name": "go"})).await;
    assert!(status.is_client_error(), "{status} {text}");
}

#[tokio::test]
async fn whatever_the_openapi_document_names_is_served() {
    let served = Served::start().await;
    let document = mainstay_api::openapi();
    for (path, methods) in document["paths"].as_object().unwrap() {
        // No name of any operation, backup or target.
        let path = path.replace("{id}", "X").replace("{target}", "X");
        for method in methods.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let (status, text) = ask(&served, method.clone(), &path, Value::Null).await;
            assert!(!text.contains("no such path"), "{method} {path}");
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    // It needs no body; what the others lack they refuse.
    assert_eq!(*served.world.commands.lock(), ["rebuild"]);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let served = Served::start().await;
    let (status, text) = get(&served, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("# TYPE plugin_calls_total counter"), "{text}");
}

#[tokio::test]
async fn checkpoints_are_taken_rolled_back_to_and_resumed_for_who_asks() {
    let served = Served::start().await;
    served.world.gate.add_permits(100);
    let take = json!({"job": "state", "kind": "pre-upgrade", "name": "before-2", "by": "ann"});
    let (status, text) = post(&served, "/v1/checkpoints", take).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let taken = &last["result"]["backups"][0]["checkpoint"];
    assert_eq!(taken["kind"], "pre-upgrade", "{text}");
    let path = format!("/v1/checkpoints/{}/rollback", backup_id(1));
    let (status, text) = post(&served, &path, json!({"by": "ann"})).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let resume = json!({"job": "state"});
    let (status, text) = post(&served, "/v1/checkpoints/resume", resume).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    let commands = served.world.commands.lock().clone();
    assert_eq!(
        commands,
        [
            "took pre-upgrade checkpoint before-2 of state for keeper (who says: ann)".to_owned(),
            format!("roll back to {} for keeper (who says: ann)", backup_id(1)),
            "resume state after a rollback for keeper".to_owned(),
        ]
    );

    for (body, says) in [
        (json!({"job": "state", "kind": "daily"}), "when it is due"),
        (
            json!({"job": "state", "name": "A B"}),
            "name of a checkpoint",
        ),
    ] {
        let (status, text) = post(&served, "/v1/checkpoints", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn of_all_backups_the_checkpoints_are_listed() {
    let served = Served::start().await;
    assert_eq!(get(&served, "/v1/checkpoints").await.1, "[]");
    let checkpoint = Checkpoint::new(CheckpointKind::Daily, None);
    served.world.backups.lock()[0].checkpoint = Some(checkpoint);
    let (_, text) = get(&served, "/v1/checkpoints?job=state").await;
    let listed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(listed[0]["checkpoint"], json!({"kind": "daily"}), "{text}");
}

#[tokio::test]
async fn what_is_no_good_is_the_first_of_all_backups_and_the_others_keep_their_order() {
    let served = Served::start().await;
    *served.world.backups.lock() = vec![backup(3), backup(2), backup(1)];
    served.world.backups.lock()[1].status = BackupStatus::Corrupted;
    let (_, text) = get(&served, "/v1/backups").await;
    let listed: Vec<Value> = serde_json::from_str(&text).unwrap();
    let ids: Vec<String> = listed
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [2, 3, 1].map(|number| backup(number).id.to_string()));
}

#[tokio::test]
async fn what_backups_come_to_is_of_one_job_or_of_all() {
    let served = Served::start().await;
    let known = served.world.backups.lock().len();
    for path in ["/v1/stats/backups", "/v1/stats/backups?job=state"] {
        let (status, text) = get(&served, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        let stats: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(stats["total"]["backups"], known, "{text}");
        assert_eq!(stats["by_tier"]["local"], stats["total"], "{text}");
        assert!(stats["total"]["compression_ratio"].is_number(), "{text}");
    }
    let (status, text) = get(&served, "/v1/stats/backups?job=stat").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    assert!(text.contains("did you mean `state`?"), "{text}");
}

/// Whatever is commanded: backups, checkpoints, plugins and alerts too.
#[tokio::test]
async fn what_people_say_of_themselves_and_why_a_backup_is_kept_is_without_secrets() {
    let served = Served::start().await;
    let id = backup_id(1);
    for (path, body) in [
        (
            format!("/v1/backups/{id}/hold"),
            json!({"by": "with hunter2", "reason": "hunter2 opens it"}),
        ),
        (
            format!("/v1/backups/{id}/release"),
            json!({"by": "with hunter2"}),
        ),
        (
            format!("/v1/backups/{id}/accept"),
            json!({"by": "with hunter2"}),
        ),
        ("/v1/pause".to_owned(), json!({"by": "with hunter2"})),
    ] {
        let (status, text) = post(&served, &path, body).await;
        assert!(status.is_success(), "{path}: {status} {text}");
    }
    let commands = served.world.commands.lock().clone();
    assert_eq!(commands.len(), 4, "{commands:?}");
    assert!(
        commands[0].contains("[secret:word] opens it"),
        "{commands:?}"
    );
    for command in &commands {
        assert!(!command.contains("hunter2"), "{command}");
    }
}
