//! Who gets in, and where it listens.

use super::{
    super::{Api, SOCKET_NAME},
    *,
};
use crate::{
    api::{
        access::UnixRights,
        caller::{Caller, Peer},
        testing::{TOKEN, state},
    },
    ports::fakes::FakeWorld,
};
use mainstay_domain::{
    name::SecretName,
    socket_rights::{SocketRights, Viewers},
};
use mainstay_store::StateDirectory;
use std::os::unix::{fs::PermissionsExt, net::UnixListener as StdListener};
use std::{path::Path, sync::Arc};

#[tokio::test]
async fn the_socket_is_its_owners_alone() {
    let served = Served::start().await;
    let mode = std::fs::metadata(served.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced_and_a_live_ones_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let world = FakeWorld::new(4);
    // Left by a process that was killed: the file is there, and nobody listens.
    drop(StdListener::bind(directory.path().join(SOCKET_NAME)).unwrap());
    let take = || StateDirectory::take(directory.path());
    let first = Api::bind(state(&world), take().unwrap(), None).await;
    // Whatever else has let go of the directory: as long as it is served it is in use.
    let error = take().unwrap_err().to_string();
    assert!(error.contains("is in use by the daemon"), "{error}");
    drop(first.unwrap());
    assert!(!directory.path().join(SOCKET_NAME).exists());
    let second = Api::bind(state(&world), take().unwrap(), None).await;
    second.unwrap();
}

#[tokio::test]
async fn what_cannot_be_a_socket_is_told() {
    async fn check(owned: Arc<StateDirectory>, expected: &str) {
        let bound = Api::bind(state(&FakeWorld::new(4)), owned, None).await;
        let error = bound.err().expect(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let take = |path: &Path| StateDirectory::take(path).unwrap();
    let removed = take(&directory.path().join("not-there"));
    std::fs::remove_dir_all(removed.path()).unwrap();
    check(removed, "is host.state_dir there").await;
    let long = directory.path().join("x".repeat(100));
    check(take(&long), "107 are allowed").await;
    std::fs::write(directory.path().join(SOCKET_NAME), "precious").unwrap();
    check(take(directory.path()), "is not a socket").await;
    let kept = std::fs::read_to_string(directory.path().join(SOCKET_NAME)).unwrap();
    assert_eq!(kept, "precious");
}

#[tokio::test]
async fn over_tcp_nothing_answers_without_the_token() {
    let served = Served::start().await;
    let client = reqwest::Client::new();
    let paths = [
        "/v1/status",
        "/v1/events?follow=true",
        "/metrics",
        "/ready",
        "/live",
        "/no-such-path",
    ];
    for path in paths {
        for token in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Basic s3cret",
            TOKEN,
        ] {
            let request = client.get(format!("http://{}{path}", served.tcp));
            let answer = request.header("authorization", token).send().await.unwrap();
            assert_eq!(
                answer.status(),
                StatusCode::UNAUTHORIZED,
                "{path} with `{token}`"
            );
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert!(answer.text().await.unwrap().contains("\"help\""));
        }
    }
    let request = client.get(format!("http://{}/v1/status", served.tcp));
    let answer = request.bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_identity_is_not_taken_over_tcp_and_not_shown_where_it_is_wrong() {
    let served = Served::start().await;
    let client = reqwest::Client::new();
    for (path, body) in [
        ("/v1/drill", "{\"job\":\"state\"}"),
        ("/v1/restore", "{\"job\":\"state\"}"),
    ] {
        let request = client.post(format!("http://{}{path}", served.tcp));
        let request = request
            .bearer_auth(TOKEN)
            .header("content-type", "application/json")
            .header(mainstay_api::IDENTITY_HEADER, "AGE-SECRET-KEY-1SECRETS");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = answer.text().await.unwrap();
        assert!(
            text.contains("Unix socket") && !text.contains("SECRETS"),
            "{text}"
        );
    }
    assert_eq!(*served.world.commands.lock(), [""; 0]);
}

#[tokio::test]
async fn a_viewer_may_command_nothing_and_root_and_the_owner_always_may() {
    let world = FakeWorld::new(4);
    let rights = UnixRights {
        rights: Arc::new(SocketRights {
            owner: 7,
            group: Some(40),
            viewers: Viewers {
                users: vec![1001],
                groups: vec![50],
            },
        }),
        accounts: world.clone(),
    };
    let may = async |uid: u32, gid: u32, listed: &[u32]| {
        *world.groups.lock() = listed.to_vec();
        let caller = Caller::User(Some(Peer { uid, gid }));
        rights.may_command(&caller).await
    };
    assert!(may(0, 0, &[]).await);
    assert!(may(7, 7, &[50]).await);
    assert!(
        may(1000, 40, &[]).await,
        "by the group that they have come with"
    );
    assert!(may(1000, 1000, &[40]).await, "by a group that lists them");
    assert!(!may(1000, 1000, &[40, 50]).await);
    assert!(!may(1000, 50, &[40]).await);
    assert!(!may(1001, 40, &[40]).await);
    assert!(!may(1000, 1000, &[]).await, "in no group any more");
    assert!(!rights.may_command(&Caller::User(None)).await);
    let token = Caller::Token(SecretName::parse("api-token").unwrap());
    assert!(rights.may_command(&token).await);
}

#[tokio::test]
async fn what_is_refused_says_what_to_do() {
    async fn check(method: Method, path: &str, body: Value, status: u16, error: &str) {
        let served = Served::start().await;
        let (found, text) = ask(&served, method, path, body).await;
        assert_eq!(found.as_u16(), status, "{path}: {text}");
        let body: mainstay_api::ErrorBody = serde_json::from_str(&text).expect(&text);
        assert!(body.error.contains(error), "{path}: {text}");
    }
    let by = serde_json::json!({"by": "ann"});
    let unknown = format!(
        "/v1/operations/{}",
        crate::ports::fakes::unknown_operation()
    );
    check(Method::GET, "/v2/status", Value::Null, 404, "no such path").await;
    check(Method::POST, "/v1/status", Value::Null, 405, "method").await;
    check(
        Method::GET,
        &unknown,
        Value::Null,
        404,
        "there is no operation",
    )
    .await;
    check(
        Method::GET,
        "/v1/operations/nonsense",
        Value::Null,
        400,
        "nonsense",
    )
    .await;
    check(
        Method::GET,
        "/v1/operations?sate=failed",
        Value::Null,
        400,
        "sate",
    )
    .await;
    check(
        Method::GET,
        "/v1/operations?state=broken",
        Value::Null,
        400,
        "broken",
    )
    .await;
    check(
        Method::POST,
        &format!("{unknown}/approve"),
        by.clone(),
        409,
        "mainstay history",
    )
    .await;
    check(
        Method::POST,
        "/v1/pause",
        serde_json::json!({"by": "a", "who": 1}),
        422,
        "who",
    )
    .await;
    check(Method::POST, "/v1/pause", Value::Null, 415, "").await;
    let long = serde_json::json!({"by": "x".repeat(2_000)});
    check(Method::POST, "/v1/pause", long, 400, "2000 bytes").await;
    let huge = serde_json::json!({"by": "x".repeat(100_000)});
    check(Method::POST, "/v1/pause", huge, 413, "").await;
    check(
        Method::POST,
        "/v1/heartbeat/redis",
        by.clone(),
        404,
        "heartbeat check",
    )
    .await;
    let relative = serde_json::json!({"job": "state", "into": "here"});
    check(Method::POST, "/v1/restore", relative, 400, "`into` is here").await;
    for (path, body) in [
        (
            "/v1/recover",
            serde_json::json!({"target": "apii", "failure": "f"}),
        ),
        ("/v1/pause", serde_json::json!({"target": "apii"})),
        (
            "/v1/pause",
            serde_json::json!({"target": "apii", "for_ms": 1}),
        ),
        ("/v1/resume", serde_json::json!({"target": "apii"})),
        (
            "/v1/silence",
            serde_json::json!({"target": "apii", "for_ms": 1, "reason": "r"}),
        ),
        ("/v1/heartbeat/apii", by.clone()),
        ("/v1/targets/apii/stop", by.clone()),
        ("/v1/targets/apii/check", by.clone()),
        (
            "/v1/targets/apii/report",
            serde_json::json!({"failure": "f"}),
        ),
        (
            "/v1/targets/apii/drill",
            serde_json::json!({"failure": "f"}),
        ),
    ] {
        check(Method::POST, path, body, 404, "did you mean `api`?").await;
    }
    for path in ["incidents", "operations", "events"] {
        let path = format!("/v1/{path}?target=apii");
        check(Method::GET, &path, Value::Null, 404, "did you mean `api`?").await;
    }
    let backups = "/v1/backups?job=stat";
    check(
        Method::GET,
        backups,
        Value::Null,
        404,
        "did you mean `state`?",
    )
    .await;
    for path in [
        "backups",
        "restore",
        "prune",
        "drill",
        "checkpoints",
        "checkpoints/resume",
    ] {
        let body = match path {
            "restore" => serde_json::json!({"job": "stat", "into": "/x"}),
            _ => serde_json::json!({"job": "stat"}),
        };
        let path = format!("/v1/{path}");
        check(Method::POST, &path, body, 404, "did you mean `state`?").await;
    }
    let job = serde_json::json!({"job": "nothing"});
    check(
        Method::POST,
        "/v1/backups",
        job,
        404,
        "there is no job `nothing`",
    )
    .await;
}

#[tokio::test]
async fn over_tcp_only_our_own_names_are_answered() {
    async fn check(served: &Served, host: &str, status: StatusCode) {
        let client = reqwest::Client::new();
        let request = client.get(format!("http://{}/v1/status", served.tcp));
        let request = request.header("host", host).bearer_auth(TOKEN);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
        if status != StatusCode::OK {
            let text = answer.text().await.unwrap();
            let body: mainstay_api::ErrorBody = serde_json::from_str(&text).expect(&text);
            assert!(body.error.contains(host), "{text}");
            assert!(body.help.unwrap().contains("hosts of host.api"));
        }
    }
    let served = Served::start().await;
    check(&served, "localhost:1", StatusCode::OK).await;
    check(&served, "mainstay.example", StatusCode::OK).await;
    check(&served, "evil.example", StatusCode::MISDIRECTED_REQUEST).await;
}

#[tokio::test]
async fn over_tcp_it_is_the_tokens_name_that_commands() {
    let served = Served::start().await;
    let request = reqwest::Client::new().post(format!("http://{}/v1/pause", served.tcp));
    let request = request.bearer_auth(TOKEN);
    let body = serde_json::json!({"by": "keeper"});
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let commands = served.world.commands.lock().clone();
    assert_eq!(
        commands,
        ["pause None true by api-token (who says: keeper)"]
    );
}

#[tokio::test]
async fn who_says_nothing_about_themselves_commands_too() {
    let served = Served::start().await;
    let (status, text) = post(&served, "/v1/pause", serde_json::json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    assert_eq!(*served.world.commands.lock(), ["pause None true by keeper"]);
}
