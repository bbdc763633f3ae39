//! Servers as sources: `kind = "http"`.

use super::{prepare, verified};
use mainstay_tests::{Receiver, response};
use std::{fs, net::TcpListener};

/// Acts: `job.source(http)`, `job.source(http).url`, `job.source(http).key`, `job.source(http).headers`
/// Acts: `job.source(http).timeout`, `job.source(http).max_bytes`
#[test]
fn what_a_server_answers_is_stored_within_the_time_and_the_bytes_of_the_source() {
    let server = Receiver::start();
    server.answer_by(|request| match request.line.as_str() {
        "GET /moved" => response("302 Found", "location: /export\r\n", ""),
        "GET /export" => response("200 OK", "", request.header("authorization")),
        _ => response("404 Not Found", "", "nothing"),
    });
    // Whoever connects waits for an answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let job = |name: &str, source: String| {
        let source = format!("source = [{{ kind = \"http\", key = \"a/b\", {source} }}]");
        format!("\n[[job]]\nname = \"{name}\"\nencryption = \"none\"\n{source}\n")
    };
    let at = |path: &str| format!("url = \"{}{path}\"", server.url);
    let header = "headers = { Authorization = \"Bearer ${secret:pin}\" }";
    let jobs = [
        "\n[secrets]\npin = { env = \"PIN_OF_THE_DAEMON\" }\n".to_owned(),
        job("good", format!("{}, {header}", at("/export"))),
        job("moved", at("/moved")),
        job("missing", at("/missing")),
        job(
            "large",
            format!("{}, {header}, max_bytes = \"10B\"", at("/export")),
        ),
        job("late", format!("url = \"{silent}\", timeout = \"250ms\"")),
    ];
    let mut daemon = prepare(&jobs.concat());
    daemon.set_env("PIN_OF_THE_DAEMON", "1234");
    daemon.run();
    daemon.json(&["backup", "create", "good"]);
    let into = daemon.path("into");
    daemon.json(&[
        "backup",
        "restore",
        "good",
        "--into",
        into.to_str().unwrap(),
    ]);
    let stored = fs::read_to_string(into.join("a/b")).unwrap();
    assert_eq!(stored, "Bearer 1234");
    for (job, says) in [
        ("moved", "answered 302, which leads elsewhere"),
        ("missing", "answered 404"),
        ("large", "answered more than 10 bytes"),
        ("late", "did not answer within 250ms"),
    ] {
        let taken = daemon.cli(&["backup", "create", job]);
        let why = String::from_utf8_lossy(&taken.stderr);
        assert!(
            !taken.status.success() && why.contains(says),
            "{job}: {why}"
        );
        assert!(verified(&daemon, job).is_empty(), "{job}");
    }
}
