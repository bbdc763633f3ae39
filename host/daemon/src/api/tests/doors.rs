//! The socket's file while the daemon lives, and who cannot hold up its stop.

use super::{
    super::{Api, SOCKET_NAME},
    *,
};
use crate::{api::testing::state, ports::fakes::FakeWorld, services::testing::wait_until};
use mainstay_store::StateDirectory;
use std::{fs, os::unix::net::UnixListener as StdListener, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

const SOON: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_socket_that_is_removed_is_made_again() {
    let served = Served::start().await;
    for _ in 0..2 {
        fs::remove_file(served.socket()).unwrap();
        wait_until("the socket to be there", || served.socket().exists()).await;
        let (status, text) = get(&served, "/v1/status").await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_the_socket_is_nobodys_to_remove() {
    let served = Served::start().await;
    let socket = served.socket();
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "precious").unwrap();
    served.stop.cancel();
    tokio::time::timeout(SOON, served.running)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[tokio::test]
async fn a_socket_that_somebody_listens_on_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(SOCKET_NAME);
    let theirs = StdListener::bind(&path).unwrap();
    let owned = StateDirectory::take(directory.path()).unwrap();
    let bound = Api::bind(state(&FakeWorld::new(4)), owned, None).await;
    let error = bound.err().unwrap().to_string();
    assert!(error.contains("somebody listens on"), "{error}");
    assert!(path.exists());
    drop(theirs);
    let owned = StateDirectory::take(directory.path()).unwrap();
    let bound = Api::bind(state(&FakeWorld::new(4)), owned, None).await;
    bound.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_come_whole_does_not_hold_up_the_stop() {
    for half in [
        "",
        "GET /v1/status HTTP/1.1\r\nhost: loc",
        "POST /v1/pause HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{",
    ] {
        let served = Served::start().await;
        let mut slow = UnixStream::connect(served.socket()).await.unwrap();
        slow.write_all(half.as_bytes()).await.unwrap();
        // One that comes later is answered, so the half one was seen.
        assert_eq!(get(&served, "/v1/status").await.0, StatusCode::OK);
        served.stop.cancel();
        let ended = tokio::time::timeout(SOON, served.running).await;
        ended
            .unwrap_or_else(|_| panic!("it was waited for: {half:?}"))
            .unwrap();
        let mut answer = String::new();
        let _ = slow.read_to_string(&mut answer).await;
        assert!(answer.is_empty() || answer.contains(" 503 "), "{answer}");
        assert!(served.world.commands.lock().is_empty());
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_does_not_hold_up_the_stop() {
    let served = Served::start().await;
    for _ in 0..20_000 {
        let kind = mainstay_domain::event::EventKind::CheckFailed;
        served.world.happen(kind, |event| event);
    }
    let mut deaf = UnixStream::connect(served.socket()).await.unwrap();
    let request = "GET /v1/events?since=0 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    deaf.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    deaf.read_exact(&mut first).await.unwrap();
    served.stop.cancel();
    let ended = tokio::time::timeout(SOON, served.running).await;
    ended.expect("it was waited for").unwrap();
    drop(deaf);
}

#[tokio::test]
async fn connections_over_tcp_keep_nobody_from_the_socket() {
    let served = Served::start().await;
    let mut idle = Vec::new();
    for _ in 0..140 {
        idle.push(tokio::net::TcpStream::connect(served.tcp).await.unwrap());
    }
    assert_eq!(get(&served, "/v1/status").await.0, StatusCode::OK);
    // Nor do those of the socket itself that ask for nothing.
    let mut silent = Vec::new();
    for _ in 0..140 {
        silent.push(UnixStream::connect(served.socket()).await.unwrap());
    }
    assert_eq!(get(&served, "/v1/status").await.0, StatusCode::OK);
    let mut byte = [0; 1];
    let ended = tokio::time::timeout(SOON, silent[0].read(&mut byte)).await;
    assert_eq!(ended.expect("the oldest has gone").unwrap(), 0);
}
