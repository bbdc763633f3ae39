//! What is sent to a server, and what of its answer counts.

use super::*;
use parking_lot::Mutex;
use std::io;

/// A server that notes what it is sent, and answers by the path.
async fn noting(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&noted);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = socket.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let answer = answer(path);
            requests.lock().push(request);
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, noted)
}

fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn the_method_and_the_headers_are_as_the_check_says_with_secrets_in_their_places() {
    let (address, noted) = noting(|_| answer("200 OK", "")).await;
    let headers = [
        ("authorization", "Bearer ${secret:db}"),
        ("host", "shop.example"),
        ("x-probe", "1"),
    ];
    let kind = CheckKind::Http(HttpCheck {
        method: HttpMethod::Head,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..get(&address)
    });
    let seen = look(kind, None, 20 * SECOND).await;
    assert_eq!(seen.outcome, Outcome::Healthy, "{seen:?}");
    let message = &seen.evidence.message;
    assert!(message.starts_with("HEAD http://"), "{message}");
    let request = noted.lock().concat().to_ascii_lowercase();
    for line in [
        "head /health http/1.1\r\n",
        "\r\nauthorization: bearer hunter2\r\n",
        "\r\nhost: shop.example\r\n",
        "\r\nx-probe: 1\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
    assert_eq!(request.matches("\r\nhost:").count(), 1, "{request}");

    let unknown_header = HttpCheck {
        headers: [("x".to_owned(), "${secret:other}".to_owned())].into(),
        ..get(&address)
    };
    check(
        CheckKind::Http(unknown_header),
        Outcome::Unknown,
        "header `x`: ",
    )
    .await;
    assert_eq!(noted.lock().len(), 1, "nothing was sent");
}

#[tokio::test]
async fn a_redirect_is_followed_where_the_check_says_and_takes_no_header_to_another_origin() {
    let (other, noted_by_other) = noting(|_| answer("200 OK", "")).await;
    let there = other.clone();
    let (address, noted) = noting(move |path| match path {
        "/health" => answer("302 Found", "Location: /deeper\r\n"),
        "/deeper" => answer(
            "307 Temporary Redirect",
            &format!("Location: http://{there}/\r\n"),
        ),
        "/round" => answer("302 Found", "Location: /round\r\n"),
        "/bad" => answer("302 Found", "Location: http://[\r\n"),
        _ => answer("500 Odd", ""),
    })
    .await;
    let at = |path: &str, follow_redirects| HttpCheck {
        url: format!("http://{address}{path}"),
        headers: [("x-token".to_owned(), "${secret:db}".to_owned())].into(),
        follow_redirects,
        ..get(&address)
    };
    for (check_of_it, outcome, message) in [
        (at("/health", false), Outcome::Healthy, "answered 302"),
        (at("/health", true), Outcome::Healthy, "answered 200"),
        (
            at("/round", true),
            Outcome::Failed,
            "redirects more than 10 times",
        ),
        (
            at("/bad", true),
            Outcome::Failed,
            "a `Location` that is no URL",
        ),
        (at("/none", true), Outcome::Failed, "answered 500"),
    ] {
        check(CheckKind::Http(check_of_it), outcome, message).await;
    }
    let with_token = |request: &String| request.contains("x-token: hunter2");
    assert!(noted.lock().iter().all(with_token));
    let elsewhere = noted_by_other.lock().clone();
    assert_eq!(elsewhere.len(), 1);
    assert!(!elsewhere.iter().any(with_token), "{elsewhere:?}");
}

#[tokio::test]
async fn a_long_header_with_many_fields_is_an_answer() {
    let long = format!("X-Long: {}\r\n", "x".repeat(200 << 10));
    let many: String = (0..900)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    for headers in [long, many] {
        let (address, _) = noting(move |_| answer("200 OK", &headers)).await;
        check(
            CheckKind::Http(get(&address)),
            Outcome::Healthy,
            "answered 200",
        )
        .await;
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_say_nothing_about_the_target() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let (address, noted) = noting(|_| answer("200 OK", "")).await;
    for file in [dir.path().join("none.pem"), empty, dir.path().to_owned()] {
        let kind = CheckKind::Http(HttpCheck {
            trust: Trust::Authorities(file.clone()),
            ..get(&address)
        });
        let message = format!("`ca` {}: ", file.display());
        check(kind, Outcome::Unknown, &message).await;
    }
    assert!(noted.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn files_beside_the_target_that_hang_say_nothing_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "a line\n").unwrap();
    let (address, noted) = noting(|_| answer("200 OK", "")).await;
    let authorities = CheckKind::Http(HttpCheck {
        trust: Trust::Authorities(file.clone()),
        ..get(&address)
    });
    let log = CheckKind::Log {
        path: Some(file),
        pattern: mainstay_domain::spec::LogPattern::Text("FATAL".to_owned()),
    };
    let probe = probe();
    // As a file system that does not answer.
    let hanging = (probe.http.hang(), probe.logs.hang());
    for (kind, first) in [
        (authorities, "file: it could not be read within 50 ms"),
        (log, "the log check had no answer within 50 ms"),
    ] {
        let check = check_of(kind, Duration::from_millis(50));
        // Of each target one look at a time is at files.
        let mut of = (*target()).clone();
        of.name = TargetName::parse(check.kind.as_str()).unwrap();
        let of = Arc::new(of);
        for message in [first, "an earlier look"] {
            let seen = probe.observe(Arc::clone(&of), check.clone(), None);
            let seen = seen.await.unwrap();
            let text = &seen.evidence.message;
            assert_eq!(seen.outcome, Outcome::Unknown, "{text}");
            assert!(text.contains(message), "{text}");
        }
    }
    assert!(noted.lock().is_empty(), "nothing was sent");
    drop(hanging);
}

#[tokio::test]
async fn what_answers_late_is_degraded_where_the_check_says_so() {
    let (address, _) = noting(|_| answer("200 OK", "")).await;
    let within = |warn_latency| {
        CheckKind::Http(HttpCheck {
            warn_latency: Some(warn_latency),
            ..get(&address)
        })
    };
    check(within(15 * SECOND), Outcome::Healthy, "answered 200 within").await;
    let warned = within(Duration::from_nanos(1));
    check(warned, Outcome::Degraded, "is worth a warning").await;
    let tcp = |warn_latency| CheckKind::Tcp {
        address: address.clone(),
        warn_latency: Some(warn_latency),
    };
    check(tcp(15 * SECOND), Outcome::Healthy, "took the connection").await;
    let warned = tcp(Duration::from_nanos(1));
    check(warned, Outcome::Degraded, "is worth a warning").await;
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_healthy_where_a_connection_opens() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, warn_latency| CheckKind::Unix {
        path: dir.path().join(name),
        warn_latency,
    };
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(dir.path().join("open")).unwrap();
    let listener = socket.listen(8).unwrap();
    check(at("open", None), Outcome::Healthy, "took the connection").await;
    let warned = at("open", Some(Duration::from_nanos(1)));
    check(warned, Outcome::Degraded, "is worth a warning").await;
    check(at("none", None), Outcome::Failed, "does not exist").await;
    std::fs::write(dir.path().join("file"), "").unwrap();
    check(at("file", None), Outcome::Failed, "it is no socket").await;

    // Nobody takes from its queue any more.
    let mut waiting = Vec::new();
    loop {
        let socket = tokio::net::UnixStream::connect(dir.path().join("open")).await;
        match socket {
            Ok(socket) => waiting.push(socket),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let seen = look(at("open", None), None, Duration::from_millis(50)).await;
    assert_eq!(seen.outcome, Outcome::Failed);
    let message = &seen.evidence.message;
    assert!(
        message.ends_with("open: no connection within 50 ms"),
        "{message}"
    );
    drop(listener);
    check(at("open", None), Outcome::Failed, "connection refused").await;
}
