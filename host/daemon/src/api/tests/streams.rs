//! What is answered bit by bit.

use super::*;
use crate::{ports::fakes::backup_id, services::testing::wait_until};
use mainstay_api::Event;
use mainstay_domain::event::EventKind;
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};

const SOON: Duration = Duration::from_secs(10);

/// Reads lines of a stream until `done`; panics where they do not come soon.
async fn read(
    response: &mut reqwest::Response,
    mut done: impl FnMut(&[String]) -> bool,
) -> Vec<String> {
    let mut text = String::new();
    loop {
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let is_whole = text.is_empty() || text.ends_with('\n');
        if is_whole && done(&lines) {
            return lines;
        }
        let chunk = tokio::time::timeout(SOON, response.chunk()).await;
        match chunk
            .unwrap_or_else(|_| panic!("no more lines after {lines:?}"))
            .unwrap()
        {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            None => return lines,
        }
    }
}

async fn follow(served: &Served, path: &str) -> reqwest::Response {
    let url = format!("http://mainstay{path}");
    served.client().get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_sees_every_event_once_however_slow_it_is() {
    let served = Served::start().await;
    let mut response = follow(&served, "/v1/events?since=0&follow=true").await;
    for _ in 0..3_000 {
        served.world.happen(EventKind::CheckFailed, |event| event);
    }
    let lines = read(&mut response, |lines| lines.len() >= 3_002).await;
    let seqs = lines
        .iter()
        .map(|line| serde_json::from_str::<Event>(line).unwrap().seq);
    assert_eq!(seqs.collect::<Vec<_>>(), (1..=3_002).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_are_read_page_by_page_from_where_the_last_page_ended() {
    let served = Served::start().await;
    for _ in 0..998 {
        served.world.happen(EventKind::CheckFailed, |event| event);
    }
    let mut since = 0;
    let mut pages = Vec::new();
    while since < 1_000 {
        let path = format!("/v1/events?since={since}&limit=600");
        let mut response = follow(&served, &path).await;
        let lines = read(&mut response, |_| false).await;
        let seqs = lines
            .iter()
            .map(|line| serde_json::from_str::<Event>(line).unwrap().seq);
        let seqs: Vec<u64> = seqs.collect();
        let expected: Vec<u64> = (since + 1..=1_000).take(600).collect();
        assert_eq!(seqs, expected);
        since = *seqs.last().unwrap();
        pages.push(seqs.len());
    }
    assert_eq!(pages, [600, 400]);
    let mut none = follow(&served, "/v1/events?since=0&limit=0").await;
    assert!(read(&mut none, |lines| !lines.is_empty()).await.is_empty());
}

#[tokio::test]
async fn however_many_events_are_asked_for_they_are_read_in_pages() {
    let served = Served::start().await;
    for _ in 0..3_000 {
        served.world.happen(EventKind::CheckFailed, |event| event);
    }
    for (path, expected) in [
        ("/v1/events?limit=10000", 1..=3_002),
        ("/v1/events?limit=700", 2_303..=3_002),
        ("/v1/events", 2_953..=3_002),
        ("/v1/events?since=0", 1..=3_002),
    ] {
        let mut response = follow(&served, path).await;
        let lines = read(&mut response, |_| false).await;
        let seqs = lines
            .iter()
            .map(|line| serde_json::from_str::<Event>(line).unwrap().seq);
        assert!(seqs.eq(expected), "{path}");
    }
    let most = served.world.largest_read.load(Ordering::Relaxed);
    assert!(most <= 500, "{most} at once");
}

#[tokio::test]
async fn a_followed_stream_ends_when_the_daemon_stops() {
    let served = Served::start().await;
    let mut response = follow(&served, "/v1/events?follow=true&limit=1").await;
    assert_eq!(read(&mut response, |lines| lines.len() == 1).await.len(), 1);
    served.stop.cancel();
    assert_eq!(
        tokio::time::timeout(SOON, response.chunk())
            .await
            .unwrap()
            .unwrap(),
        None
    );
    tokio::time::timeout(SOON, served.running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn long_work_tells_its_progress() {
    let served = Served::start().await;
    let url = "http://mainstay/v1/backups";
    served.world.gate.add_permits(1);
    let request = served.client().post(url).json(&json!({"job": "state"}));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let lines = read(&mut response, |lines| lines.len() == 1).await;
    assert_eq!(
        lines,
        ["{\"progress\":{\"documents\":1,\"total\":3,\"bytes\":100}}\n"]
    );
    served.world.gate.add_permits(3);
    let lines = read(&mut response, |_| false).await;
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("{\"result\":{\"backups\":["),
        "{lines:?}"
    );
}

#[tokio::test]
async fn what_long_work_did_is_in_the_status_that_is_asked_for_after_its_result() {
    let served = Served::start().await;
    let gathered = || served.world.gathered.load(Ordering::SeqCst);
    served.world.gate.add_permits(1);
    let url = "http://mainstay/v1/backups";
    let request = served.client().post(url).json(&json!({"job": "state"}));
    let mut response = request.send().await.unwrap();
    read(&mut response, |lines| lines.len() == 1).await;
    get(&served, "/v1/status").await;
    let before = gathered();
    served.world.gate.add_permits(3);
    let lines = read(&mut response, |_| false).await;
    assert!(
        lines.last().unwrap().starts_with("{\"result\":"),
        "{lines:?}"
    );
    // No event told of it, and the clock stands still.
    get(&served, "/v1/status").await;
    assert!(gathered() > before);
}

#[tokio::test]
async fn long_work_that_stands_still_goes_on_to_give_signs_of_life() {
    let served = Served::start().await;
    let url = "http://mainstay/v1/backups";
    let request = served.client().post(url).json(&json!({"job": "state"}));
    let mut response = request.send().await.unwrap();
    let still = "{\"progress\":{\"documents\":0,\"total\":null,\"bytes\":0}}\n";
    let lines = read(&mut response, |lines| lines.len() >= 2).await;
    assert_eq!(lines[..2], [still, still]);
    served.world.gate.add_permits(100);
    let lines = read(&mut response, |_| false).await;
    assert!(
        lines.last().unwrap().starts_with("{\"result\":"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn work_that_fails_on_its_way_ends_with_its_error() {
    let served = Served::start().await;
    served.world.gate.add_permits(1);
    let url = format!("http://mainstay/v1/backups/{}/verify", backup_id(1));
    let mut response = served.client().post(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    read(&mut response, |lines| lines.len() == 1).await;
    served.world.gate.add_permits(3);
    let lines = read(&mut response, |_| false).await;
    assert!(
        lines
            .last()
            .unwrap()
            .contains("is corrupted\",\"help\":null}"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn work_that_was_begun_ends_though_its_client_has_gone() {
    let served = Served::start().await;
    served.world.gate.add_permits(1);
    let request = served
        .client()
        .post("http://mainstay/v1/backups")
        .json(&json!({"job": "state"}));
    let mut response = request.send().await.unwrap();
    read(&mut response, |lines| lines.len() == 1).await;
    drop(response);
    served.stop.cancel();
    // The API has forgotten it by then.
    tokio::time::timeout(SOON, served.running)
        .await
        .unwrap()
        .unwrap();
    assert!(served.world.commands.lock().is_empty());
    served.world.gate.add_permits(3);
    wait_until("the end of the work", || served.world.in_line() == 0).await;
    assert_eq!(*served.world.commands.lock(), ["created full of state"]);
}

#[tokio::test]
async fn work_that_waits_its_turn_says_so_and_goes_away_with_its_client() {
    let served = Served::start().await;
    served.world.gate.add_permits(100);
    let others = served.world.turn.lock().await;
    let request = || {
        let request = served.client().post("http://mainstay/v1/backups");
        request.json(&json!({"job": "state"})).send()
    };
    // Before the first line of the answer.
    let asked = tokio::spawn(request());
    wait_until("a request that waits", || served.world.in_line() == 1).await;
    asked.abort();
    wait_until("the work to go away", || served.world.in_line() == 0).await;
    // And after it.
    let mut response = request().await.unwrap();
    let lines = read(&mut response, |lines| lines.len() == 1).await;
    assert_eq!(
        lines,
        ["{\"progress\":{\"documents\":0,\"total\":null,\"bytes\":0}}\n"]
    );
    assert_eq!(served.world.in_line(), 1);
    drop(response);
    wait_until("the work to go away", || served.world.in_line() == 0).await;
    drop(others);
    assert!(served.world.commands.lock().is_empty());
}
