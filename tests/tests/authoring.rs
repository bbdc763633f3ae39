//! From `plugin new` to serving, for each kind: what is generated is formatted, passes its own tests, builds, and serves
//! as soon as it is dropped. All of it with the program and a Rust toolchain alone: cargo has no network and no registry.

use mainstay_tests::{Daemon, build_directory, program, repository};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Instant,
};

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
[plugin.an-alerter]
settings = { url = "http://127.0.0.1:9/" }
grants = { http = ["http://127.0.0.1:9"] }
[plugin.an-detector]
settings = { url = "http://127.0.0.1:9/" }
grants = { http = ["http://127.0.0.1:9"] }
[plugin.an-backup-source]
settings = { url = "http://127.0.0.1:9/" }
grants = { http = ["http://127.0.0.1:9"] }
"#;

/// Runs it where all generated plugins of a test share one build directory, and cargo knows nothing but what it is given.
/// Tests share none: what one builds anew is taken away from under the other.
fn run_of(test: &str, directory: &Path, program: &Path, arguments: &[&str]) -> Output {
    let home = build_directory().join("authoring/cargo-home");
    fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command.env(
        "CARGO_TARGET_DIR",
        build_directory().join("authoring").join(test),
    );
    command
        .env("CARGO_HOME", home)
        .env("CARGO_NET_OFFLINE", "true");
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

fn run(directory: &Path, program: &Path, arguments: &[&str]) -> Output {
    run_of("kinds", directory, program, arguments)
}

/// The packages that are compiled for the one in a directory, itself among them.
fn packages(directory: &Path) -> Vec<String> {
    let lock = fs::read_to_string(directory.join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let names = packages.map(|package| package["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn a_generated_plugin_of_each_kind_is_tested_built_dropped_and_serves() {
    let daemon = Daemon::start(CONFIG, &[]);
    let sdk = repository().join("plugin-sdk");
    let cargo = Path::new(env!("CARGO"));
    let directory = daemon.directory.path();
    let kinds = [
        "recovery-handler",
        "alerter",
        "retention-policy",
        "detector",
        "recovery-strategy",
        "backup-source",
        "durable-recovery-handler",
    ];
    for (count, kind) in kinds.into_iter().enumerate() {
        let name = format!("an-{kind}");
        let mut new = vec!["plugin", "new", &name, "--kind", kind];
        // Who works on the SDK names it.
        if kind == "alerter" {
            new.extend(["--sdk", sdk.to_str().unwrap()]);
        }
        run(directory, program(), &new);
        let package = directory.join(&name);
        run(&package, cargo, &["fmt", "--check"]);
        let tests = run(&package, cargo, &["test"]);
        let printed = String::from_utf8_lossy(&tests.stdout).into_owned();
        assert!(printed.contains("test tests::"), "no tests ran:\n{printed}");
        assert_eq!(packages(&package), [name.as_str(), "mainstay-plugin-sdk"]);
        let plugins = daemon.path("plugins");
        let drop = [
            "plugin",
            "build",
            ".",
            "--yes",
            "--drop",
            plugins.to_str().unwrap(),
        ];
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
        // The config to try it with is one, also with its plugin there.
        run(
            &package,
            program(),
            &["plugin", "build", "--yes", "--drop", "plugins"],
        );
        run(&package, program(), &["check", "--config", "mainstay.toml"]);
    }
}

#[test]
fn the_first_plugin_needs_the_program_and_a_toolchain_and_is_called_as_printed() {
    let directory = tempfile::tempdir().unwrap();
    // Built first: what is timed is what an author waits for.
    let program = program();
    let begin = Instant::now();
    let run = |directory: &Path, arguments: &[&str]| run_of("first", directory, program, arguments);
    let new = run(directory.path(), &["plugin", "new", "first"]);
    let printed = String::from_utf8(new.stdout).unwrap();
    let package = directory.path().join("first");
    let commands: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    let cd = format!("cd {}", package.canonicalize().unwrap().display());
    assert_eq!(
        commands,
        [
            cd.as_str(),
            "mainstay plugin test",
            "mainstay plugin build --drop plugins",
            "mainstay run",
            "mainstay recover try --failure service-down --wait",
        ]
    );
    for command in &commands[1..3] {
        // As printed, but for the question that a terminal would ask.
        let arguments = command.split(' ').skip(1).chain(["--yes"]);
        let arguments: Vec<&str> = arguments.collect();
        run(&package, &arguments);
    }
    assert_eq!(packages(&package), ["first", "mainstay-plugin-sdk"]);

    let config = fs::read_to_string(package.join("mainstay.toml")).unwrap();
    let pasted = printed.split_once("add to its config:\n").unwrap().1.trim();
    assert!(pasted.contains("[[route]]") && pasted.contains("grants = "));
    assert!(config.trim_end().ends_with(pasted), "{config}");
    let mut daemon = Daemon::prepare(&config);
    daemon.drop_plugin(&package.join("plugins/first.wasm"));
    daemon.run();
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("try", "service-down");
    println!("the first call was served after {:?}", begin.elapsed());
    assert_eq!(operation["state"], "succeeded");
    assert_eq!(operation["handler"], "first");
}

#[test]
fn without_a_toolchain_it_is_said_what_to_install() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), program(), &["plugin", "new", "first"]);
    for command in ["test", "build"] {
        let output = Command::new(program())
            .args(["plugin", command])
            .current_dir(directory.path().join("first"))
            .env("PATH", "/nonexistent")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        for part in ["install Rust from https://rustup.rs", "[MS-0601]"] {
            assert!(error.contains(part), "{command}: {error}");
        }
    }
}

#[test]
fn the_toolchain_is_not_changed_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), program(), &["plugin", "new", "first"]);
    let tools = directory.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let called = tools.join("called");
    for (tool, does) in [
        ("rustc", "echo 'error: no wasm32-wasip2' >&2".to_owned()),
        ("rustup", format!(": > '{}'", called.display())),
    ] {
        let path = tools.join(tool);
        fs::write(&path, format!("#!/bin/sh\n{does}\nexit 1\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let build = |arguments: &[&str]| {
        let output = Command::new(program())
            .args(["plugin", "build"])
            .args(arguments)
            .current_dir(directory.path().join("first"))
            .env("PATH", &tools)
            .env_remove("MAINSTAY_TOOLCHAIN")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = build(&[]);
    for part in ["rustup target add wasm32-wasip2", "--yes", "[MS-0601]"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!called.exists(), "rustup was run: {error}");
    build(&["--yes"]);
    assert!(called.exists(), "rustup was not run");
}
