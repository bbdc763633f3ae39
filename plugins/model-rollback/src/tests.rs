//! The handler on a real registry.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};
use std::fs;
use tempfile::TempDir;

/// A model with these versions, of which one is current and one was stable last.
fn model(registry: &TempDir, name: &str, versions: &[&str], current: &str, stable: &str) {
    let directory = registry.path().join(name);
    fs::create_dir_all(directory.join("versions")).unwrap();
    for version in versions {
        fs::create_dir(directory.join("versions").join(version)).unwrap();
    }
    fs::write(directory.join("current_version"), format!("{current}\n")).unwrap();
    if !stable.is_empty() {
        fs::write(directory.join("last_stable_version"), stable).unwrap();
    }
}

fn current(registry: &TempDir, name: &str) -> String {
    let text = fs::read_to_string(registry.path().join(name).join("current_version"));
    text.unwrap().trim().to_owned()
}

fn host(registry: &TempDir, more: &str) -> ScriptedHost {
    let mut host = ScriptedHost::new();
    let path = registry.path().display().to_string();
    host.set_settings(format!(r#"{{"registry": {path:?}{more}}}"#));
    host
}

fn failure() -> Operation {
    operation("scorer", "ml-model-failure")
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    ModelRollback.recover(&failure(), host)
}

#[test]
fn each_model_goes_back_to_its_last_stable_version_else_to_the_baseline() {
    let registry = TempDir::new().unwrap();
    model(&registry, "fraud", &["7", "8"], "8", "7");
    model(&registry, "price", &["3", "baseline"], "3", "");
    let mut host = host(&registry, "");
    let report = run(&mut host).unwrap();
    let actions = [
        "rolled fraud back from 8 to 7",
        "rolled price back from 3 to baseline",
        "restarted scorer",
    ];
    assert_eq!(report.actions, actions);
    assert_eq!(current(&registry, "fraud"), "7");
    assert_eq!(current(&registry, "price"), "baseline");
    assert_eq!(host.effects(), [Effect::Restart("scorer".into())]);
}

#[test]
fn the_same_call_does_the_same_and_the_next_attempt_goes_on_to_the_baseline() {
    let registry = TempDir::new().unwrap();
    model(&registry, "fraud", &["7", "8", "baseline"], "8", "7");
    let mut host = host(&registry, "");
    let mut op = failure();
    // The host died after the version was taken.
    for _ in 0..2 {
        let report = ModelRollback.recover(&op, &mut host).unwrap();
        assert_eq!(report.actions[0], "rolled fraud back from 8 to 7");
        assert_eq!(current(&registry, "fraud"), "7");
    }
    op.attempt = 2;
    let report = ModelRollback.recover(&op, &mut host).unwrap();
    assert_eq!(report.actions[0], "rolled fraud back from 7 to baseline");
    op.attempt = 3;
    let failure = ModelRollback.recover(&op, &mut host).unwrap_err();
    let RecoveryFailure::NeedsOperator(steps) = &failure else {
        panic!("{failure:?}")
    };
    assert!(steps[0].starts_with("left fraud at baseline"), "{steps:?}");
    assert_eq!(current(&registry, "fraud"), "baseline");
    assert_eq!(host.effects().len(), 3, "nothing is loaded");
}

#[test]
fn where_no_model_has_a_version_to_go_back_to_a_person_is_asked() {
    let registry = TempDir::new().unwrap();
    // Its last stable version is the one that fails, or is not there any more.
    model(&registry, "fraud", &["8"], "8", "8");
    model(&registry, "price", &["4"], "4", "3");
    let mut host = host(&registry, "");
    let failure = run(&mut host).unwrap_err();
    let RecoveryFailure::NeedsOperator(steps) = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(steps.len(), 4, "{steps:?}");
    assert!(host.effects().is_empty());
    // Beside one that has, it is left and told.
    model(&registry, "risk", &["1", "2"], "2", "1");
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions[0], "rolled risk back from 2 to 1");
    assert!(
        report.actions[1].starts_with("left fraud at 8"),
        "{report:?}"
    );
}

#[test]
fn only_the_models_that_are_named_are_rolled_back() {
    let registry = TempDir::new().unwrap();
    for name in ["fraud", "price", "risk"] {
        model(&registry, name, &["1", "2"], "2", "1");
    }
    let mut host = host(&registry, r#", "models": ["fraud"], "load": "SIGHUP""#);
    let report = run(&mut host).unwrap();
    let actions = ["rolled fraud back from 2 to 1", "sent SIGHUP to scorer"];
    assert_eq!(report.actions, actions);
    let mut op = failure();
    op.params = r#"{"models": ["risk"]}"#.into();
    ModelRollback.recover(&op, &mut host).unwrap();
    let versions = ["fraud", "price", "risk"].map(|name| current(&registry, name));
    assert_eq!(versions, ["1", "2", "1"]);
    op.params = r#"{"models": ["nosuch"]}"#.into();
    let failure = ModelRollback.recover(&op, &mut host).unwrap_err();
    let RecoveryFailure::Permanent(why) = &failure else {
        panic!("{failure:?}")
    };
    assert!(
        why.contains("cannot read") && why.contains("nosuch"),
        "{why}"
    );
}

#[test]
fn a_dry_run_writes_nothing_and_shows_all() {
    let registry = TempDir::new().unwrap();
    model(&registry, "fraud", &["7", "8"], "8", "7");
    let mut op = failure();
    op.dry_run = true;
    let mut host = host(&registry, r#", "load": "none""#);
    let report = ModelRollback.recover(&op, &mut host).unwrap();
    assert_eq!(report.actions, ["would roll fraud back from 8 to 7"]);
    assert_eq!(current(&registry, "fraud"), "8");
    assert!(!registry.path().join("fraud/rollback").exists());
}

#[test]
fn a_registry_that_is_none_is_told() {
    let registry = TempDir::new().unwrap();
    fs::create_dir(registry.path().join("no-model")).unwrap();
    let why = |host: &mut ScriptedHost| match run(host).unwrap_err() {
        RecoveryFailure::Permanent(why) => why,
        other => panic!("{other:?}"),
    };
    let told = why(&mut host(&registry, ""));
    assert!(told.contains("has no model"), "{told}");
    let mut gone = ScriptedHost::new();
    gone.set_settings(r#"{"registry": "/nonexistent/models"}"#);
    let told = why(&mut gone);
    assert!(told.contains("grant it to the plugin with `dir`"), "{told}");
    fs::create_dir_all(registry.path().join("odd/current_version")).unwrap();
    let told = why(&mut host(&registry, r#", "models": ["odd"]"#));
    assert!(told.contains("it is no regular file"), "{told}");
}

#[test]
fn settings_are_checked_before_anything_is_done() {
    for (settings, expected) in [
        ("{}", "missing field `registry`"),
        (
            r#"{"registry": "m", "models": ["../x"]}"#,
            "settings.models[0]: found \"../x\"",
        ),
        (
            r#"{"registry": "m", "baseline": "a/b"}"#,
            "settings.baseline: found \"a/b\"",
        ),
        (r#"{"registry": "m", "load": "SIGKILL"}"#, "SIGHUP"),
        (
            r#"{"registry": "m", "model": "x"}"#,
            "unknown field `model`",
        ),
    ] {
        let message = ModelRollback::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    assert!(ModelRollback::configure(r#"{"registry": "m"}"#).is_ok());
}
