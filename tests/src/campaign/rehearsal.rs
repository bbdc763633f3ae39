//! Operations that are planned in a dry run, then done, then rehearsed with two builds.
//!
//! What a dry run plans is what is done, request by request. The same build differs in nothing from its record; one that acts
//! before it looks is caught, with its first difference by number and name, and does nothing.

use super::Random;
use crate::{Daemon, HOST, Receiver, guest, sleeper};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write, path::Path};

/// What a campaign came to.
#[derive(Debug, Default)]
pub struct RehearsalReport {
    /// Operations that were done.
    pub operations: u32,
    /// Their effects, each planned before.
    pub effects: usize,
    /// Operations on which the other build was caught.
    pub caught: u32,
}

/// Plans, does and rehearses so many operations.
///
/// # Panics
/// At the first broken promise.
pub fn rehearsal(count: u32, seed: u64) -> RehearsalReport {
    let mut random = Random::new(seed);
    let receiver = Receiver::start();
    let deeds = deeds(&receiver.url, &mut random);
    let (same, hasty) = (guest("probe", &[]), guest("probe", &["hasty"]));
    let mut daemon = Daemon::prepare(&config(&receiver.url, &deeds));
    daemon.drop_plugin(&same);
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("all to run", |status| {
        let mut targets = status["targets"].as_array().unwrap().iter();
        targets.all(|target| target["pid"].is_u64())
    });
    let first = random.index(deeds.len());
    let mut report = RehearsalReport::default();
    for number in 0..count {
        // So that also a small campaign has each of them.
        let deed = (first + usize::try_from(number).unwrap()) % deeds.len();
        let (target, failure) = (name_of(deed), "odd");
        let before = did(&daemon, &receiver);
        let planned = daemon.json(&[
            "recover",
            target.as_str(),
            "--failure",
            failure,
            "--dry-run",
        ]);
        assert_eq!(planned["state"], "succeeded", "{planned}");
        assert_eq!(did(&daemon, &receiver), before, "a dry run acted");
        let done = daemon.recover(&target, failure);
        assert_eq!(done["state"], "succeeded", "{done}");
        let executed = effects_of(&daemon, &done, "result");
        let planned = effects_of(&daemon, &planned, "planned");
        assert_eq!(planned, executed, "planned, and executed: {}", deeds[deed]);
        report.operations += 1;
        report.effects += executed.len();

        let before = did(&daemon, &receiver);
        let (code, told) = rehearse(&daemon, &done, &same);
        assert_eq!(told["class"], "identical", "{told}");
        assert_eq!((code, &told["first_difference"]), (Some(0), &Value::Null));
        let (code, told) = rehearse(&daemon, &done, &hasty);
        assert_eq!(code, Some(1), "{told}");
        must_be_caught(&told, &executed, &target);
        assert_eq!(did(&daemon, &receiver), before, "a rehearsal acted");
        report.caught += 1;
        // It says all there is to say, and of what went well nobody reads it.
        std::fs::write(daemon.path("daemon.log"), "").unwrap();
    }
    report
}

fn name_of(deed: usize) -> String {
    format!("t{deed}")
}

/// What the handler does for each of the targets, as parameters of its step.
fn deeds(url: &str, random: &mut Random) -> Vec<String> {
    let word = random.number();
    vec![
        "do = \"restart\"".to_owned(),
        "do = \"look\"".to_owned(),
        "do = \"stop-start\"".to_owned(),
        "do = \"command\", name = \"mark\"".to_owned(),
        format!("do = \"http\", name = \"{url}/look\""),
        format!("do = \"post\", name = \"{url}/once\", word = \"{word:x}\""),
        "do = \"count\"".to_owned(),
        "do = \"sleep\", length = \"20ms\"".to_owned(),
        "do = \"steps\", length = \"10ms\"".to_owned(),
    ]
}

fn config(url: &str, deeds: &[String]) -> String {
    let mut config = HOST.to_owned();
    for deed in 0..deeds.len() {
        config += &sleeper(&name_of(deed));
    }
    for (deed, params) in deeds.iter().enumerate() {
        let target = name_of(deed);
        write!(
            config,
            "\n[[route]]\ntarget = \"{target}\"\nfailure = \"odd\"\nrelapse_window = \"0s\"\n\
             strategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
             chain = [{{ handler = \"probe\", params = {{ {params} }} }}]\n"
        )
        .unwrap();
    }
    config
        + &format!(
            r#"
[command.mark]
run = ["/bin/sh", "-c", "echo >> marks", "{{target}}"]
placeholders = ["target"]

[plugin.probe.grants]
target = ["start", "stop", "restart", "status", "check"]
command = ["mark"]
kv = "1KiB"
http = ["{url}"]
"#
        )
}

/// What acts leave behind: the processes, what was posted, and what a command wrote.
fn did(daemon: &Daemon, receiver: &Receiver) -> (BTreeMap<String, u32>, usize, String) {
    let received = receiver.received();
    let posts = received.iter().filter(|one| one.line.starts_with("POST"));
    let marks = std::fs::read_to_string(daemon.path("marks")).unwrap_or_default();
    (daemon.pids(), posts.count(), marks)
}

/// Number, name and arguments of each effect, in order.
fn effects_of(daemon: &Daemon, operation: &Value, kind: &str) -> Vec<(Value, Value, Value)> {
    let journal = daemon.journal(operation, kind).into_iter();
    let effects = journal.map(|entry| {
        let part = |name: &str| entry[name].clone();
        (part("seq"), part("effect"), part("request"))
    });
    effects.collect()
}

fn rehearse(daemon: &Daemon, operation: &Value, build: &Path) -> (Option<i32>, Value) {
    let id = operation["id"].as_str().unwrap();
    let build = build.to_str().unwrap();
    let output = daemon.cli(&["operation", "replay", id, "--plugin", build, "--json"]);
    let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        panic!("{id} was not rehearsed: {error}: {stderr}")
    });
    (output.status.code(), told)
}

/// The build restarts the target first.
fn must_be_caught(told: &Value, executed: &[(Value, Value, Value)], target: &str) {
    let class = told["class"].as_str().unwrap();
    assert!(
        ["effects-differ", "outcome-differs"].contains(&class),
        "{told}"
    );
    let first = &told["first_difference"];
    assert_eq!(
        first["asked"],
        format!("targets.restart of {target}"),
        "{told}"
    );
    let restarts_first = executed[0].1 == "targets.restart";
    let number = match restarts_first {
        // Its first restart is the recorded one, and its second is one too many.
        true => 2,
        false => executed[0].0.as_u64().unwrap(),
    };
    assert_eq!(first["number"], number, "{told}");
    assert_eq!(first["recorded"].is_null(), restarts_first, "{told}");
}
