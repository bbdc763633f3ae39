//! The alerter on a real file.

use super::*;
use mainstay_plugin_sdk::testing::{ScriptedHost, alert};

fn deliver(path: &Path, kind: &str) -> Result<Receipt> {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(r#"{{"path": {:?}}}"#, path.display().to_string()));
    LogFile.deliver(&alert(kind), &mut host)
}

#[test]
fn each_alert_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.jsonl");
    deliver(&path, "a.first").unwrap();
    deliver(&path, "a.second").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].contains("\"a.first\"") && lines[1].contains("\"a.second\""),
        "{text}"
    );
    assert!(text.ends_with('\n'));
}

#[test]
fn a_line_that_was_cut_off_does_not_swallow_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.jsonl");
    std::fs::write(&path, "{\"id\": \"al-").unwrap();
    deliver(&path, "a.next").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"id\": \"al-\n{"), "{text}");
}

#[test]
fn a_missing_directory_says_what_to_grant() {
    let Err(DeliveryFailure::Permanent(why)) = deliver(Path::new("/no/such/file"), "a.b") else {
        panic!("not permanent")
    };
    assert!(
        why.contains("/no/such/file") && why.contains("`dir`"),
        "{why}"
    );
}
