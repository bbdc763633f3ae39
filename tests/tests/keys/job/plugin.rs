//! Plugins as sources: `kind = "plugin"`.

use super::{prepare, verified};
use mainstay_tests::{Receiver, plugin, response};
use serde_json::json;
use std::{
    fs,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

const FIRST: &str = r#"{"documents": [{"key": "a.json", "value": {"b": 1}}], "next": "2"}"#;
const LAST: &str = r#"{"documents": [{"key": "c/d.json", "value": "two"}], "watermark": "7"}"#;

/// Acts: `job.source(plugin)`, `job.source(plugin).plugin`, `job.source(plugin).version`, `job.source(plugin).prefix`
/// Acts: `job.source(plugin).timeout`
#[test]
fn what_a_plugin_gives_is_backed_up_page_by_page_and_restored() {
    let api = Receiver::start();
    let (is_gone, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let (gone, count) = (is_gone.clone(), asked.clone());
    api.answer_by(move |request| match request.line.as_str() {
        "GET /export" if !gone.load(Ordering::SeqCst) => response("200 OK", "", FIRST),
        // The second page is there when it is asked for again.
        "GET /export?cursor=2" => match count.fetch_add(1, Ordering::SeqCst) {
            0 => response("503 Service Unavailable", "", ""),
            _ => response("200 OK", "", LAST),
        },
        _ => response("404 Not Found", "", ""),
    });
    // Whoever connects waits for an answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let job = |name: &str, source: &str| {
        format!(
            "\n[[job]]\nname = \"{name}\"\nencryption = \"none\"\nsource = [\n    {{ kind = \"directory\", path = \"data\" }},\n    \
             {{ kind = \"plugin\", prefix = \"export/api\", {source} }},\n]\n"
        )
    };
    let jobs = [
        job("good", "plugin = \"http-export\", version = \"^1\""),
        job("other", "plugin = \"http-export\", version = \"^9\""),
        job("late", "plugin = \"late\", timeout = \"250ms\""),
        format!(
            "\n[plugin.http-export]\ngrants = {{ http = [\"{url}\"] }}\nsettings = {{ url = \"{url}/export\" }}\n",
            url = api.url
        ),
        format!(
            "\n[plugin.late]\nplugin = \"http-export\"\ngrants = {{ http = [\"{silent}\"] }}\nsettings = {{ url = \"{silent}\" }}\n"
        ),
    ];
    let mut daemon = prepare(&jobs.concat());
    daemon.drop_plugin(&plugin("http-export"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.json(&["backup", "create", "good"]);
    assert!(asked.load(Ordering::SeqCst) >= 2);
    let into = daemon.path("into");
    daemon.json(&[
        "backup",
        "restore",
        "good",
        "--into",
        into.to_str().unwrap(),
    ]);
    let restored = |key: &str| fs::read_to_string(into.join("export/api").join(key)).unwrap();
    assert_eq!(restored("a.json"), r#"{"b":1}"#);
    assert_eq!(restored("c/d.json"), r#""two""#);
    assert!(into.join("words.txt").exists());

    // What is the same is stored once, and one that fails is told as its source.
    let again = daemon.json(&["backup", "create", "good", "--type", "incremental"]);
    let again = &again["backups"][0];
    assert_eq!(
        (&again["type"], &again["documents"]),
        (&json!("incremental"), &json!(0))
    );
    is_gone.store(true, Ordering::SeqCst);
    for (job, says) in [
        ("good", "the API answered 404"),
        ("other", "http-export cannot be asked"),
        ("late", "within 250ms"),
    ] {
        let taken = daemon.cli(&["backup", "create", job]);
        let said = [taken.stdout, taken.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            !taken.status.success() && said.contains(says),
            "{job}: {said}"
        );
    }
    assert!(verified(&daemon, "late").is_empty());
}
