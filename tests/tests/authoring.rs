//! From `plugin new` to serving, for each kind: what is generated is formatted, passes its own tests, builds, and serves
//! as soon as it is dropped.

use mainstay_tests::{Daemon, build_directory, program, repository};
use std::{
    path::Path,
    process::{Command, Output},
};

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
[plugin.an-alerter]
settings = { url = "http://127.0.0.1:9/" }
grants = { http = ["http://127.0.0.1:9"] }
"#;

/// Runs it where all generated plugins share one build directory.
fn run(directory: &Path, program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command.env("CARGO_TARGET_DIR", build_directory().join("authoring"));
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn a_generated_plugin_of_each_kind_is_tested_built_dropped_and_serves() {
    let daemon = Daemon::start(CONFIG, &[]);
    let sdk = repository().join("plugin-sdk");
    let cargo = Path::new(env!("CARGO"));
    let directory = daemon.directory.path();
    for (count, kind) in ["recovery-handler", "alerter", "retention-policy"]
        .into_iter()
        .enumerate()
    {
        let name = format!("an-{kind}");
        let new = [
            "plugin",
            "new",
            &name,
            "--kind",
            kind,
            "--sdk",
            sdk.to_str().unwrap(),
        ];
        run(directory, program(), &new);
        let package = directory.join(&name);
        // The versions that everything else was built with.
        std::fs::copy(repository().join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
        run(&package, cargo, &["fmt", "--check"]);
        let tests = run(&package, cargo, &["test"]);
        let printed = String::from_utf8_lossy(&tests.stdout).into_owned();
        assert!(printed.contains("test tests::"), "no tests ran:\n{printed}");
        let plugins = daemon.path("plugins");
        let drop = ["plugin", "build", ".", "--drop", plugins.to_str().unwrap()];
        run(&package, program(), &drop);
        daemon.wait_for_plugins(count + 1);
        let rows = daemon.json(&["plugin", "list"]);
        let row = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == *name);
        assert_eq!(row.unwrap()["kind"], kind);
        assert_eq!(row.unwrap()["version"], "0.1.0");
    }
}
