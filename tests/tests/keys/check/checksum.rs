//! Checks of kind `checksum`, of documents that Python wrote.

use super::{case, judge};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::Daemon;
use std::{fs, process::Command};

const WRITE: &str = r#"
import hashlib, json, sys
document = {"positions": [{"symbol": "Ä/USD", "quantity": 1e-05}], "cash_balance": 100000.10, "total_value": 1e16}
checksum = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
def write(name, **more):
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        json.dump(document | more, file, indent=2)
write("bare")
write("good", _checksum=checksum)
write("other", _checksum=checksum, cash_balance=100000.11)
"#;

/// Acts: `target.check(checksum)`, `target.check(checksum).paths`, `target.check(checksum).required`,
/// Acts: `target.check(checksum).members`
#[test]
fn a_document_has_failed_that_is_not_the_one_of_its_checksum() {
    let mut daemon = Daemon::prepare("");
    let mut python = Command::new("python3");
    let written = python.args(["-c", WRITE]).arg(daemon.path("")).status();
    assert!(written.unwrap().success());
    let whole = fs::read(daemon.path("good.json")).unwrap();
    fs::write(daemon.path("torn.json"), &whole[..whole.len() / 2]).unwrap();
    let of = |paths: &str, more: &str| format!("kind = \"checksum\"\npaths = [{paths}]\n{more}");
    let cases = [
        case(of("\"good.json\", \"bare.json\"", ""), "healthy", ""),
        case(of("\"good.json\"", "required = true"), "healthy", ""),
        case(
            of("\"good.json\", \"bare.json\"", "required = true"),
            "failed",
            "bare.json has no `_checksum`",
        ),
        case(
            of("\"good.json\", \"other.json\"", ""),
            "failed",
            "other.json is not what its checksum is of",
        ),
        case(of("\"torn.json\"", ""), "failed", "torn.json is no JSON"),
        case(
            of(
                "\"bare.json\"",
                "members = [\"positions\", \"total_value\"]",
            ),
            "healthy",
            "",
        ),
        case(
            of("\"bare.json\"", "members = [\"orders\", \"positions\"]"),
            "failed",
            "bare.json has no `orders`",
        ),
        case(
            of("\"none.json\", \"torn.json\"", ""),
            "failed",
            "torn.json is no JSON",
        ),
    ];
    judge(&mut daemon, &cases);
}

#[test]
fn a_document_that_cannot_be_read_has_not_failed() {
    let config = format!(
        "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nkind = \"checksum\"\npaths = [\"none.json\"]\n\
         every = \"1h\"\nfail_after = 1\nfailure = \"seen\"\n"
    );
    let daemon = Daemon::start(&config, &[]);
    daemon.wait_for_status("it to be unseen", |status| {
        let why = row_of(status, "t")["unseen"]["why"].as_str();
        why.is_some_and(|why| why.contains("it does not exist"))
    });
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
}
