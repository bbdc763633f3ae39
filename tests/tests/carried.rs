//! The plugins that come with the program: they are those of the sources, say of themselves what the program says of them,
//! and are put where a daemon takes them from.

use mainstay_tests::{Daemon, HOST, plugin, program, repository, sleeper};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Builds them anew and writes down what they say; then the program is to be built anew too.
const RENEW: &str = "MAINSTAY_RENEW=1 cargo test -p mainstay-tests carried::the_carried";

/// They are packed once and unpacked in milliseconds.
const LEVEL: i32 = 19;

fn carried() -> PathBuf {
    repository().join("host/cli/carried")
}

/// A component there.
fn packed(name: &str) -> PathBuf {
    carried().join(format!("{name}.wasm.zst"))
}

fn mainstay(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(directory);
    command.env_remove("MAINSTAY_CONFIG").output().unwrap()
}

fn json_of(directory: &Path, arguments: &[&str]) -> Value {
    let output = mainstay(directory, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first-party plugins.
fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join("plugins")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let packages = paths.filter(|path| path.join("Cargo.toml").is_file());
    packages
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// The files of a directory that a component is made of.
fn sources(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_for_tests = ["tests", "tests.rs", "testing", "testing.rs", "target"].contains(&name);
        if is_for_tests || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if ["rs", "toml", "wit"]
            .iter()
            .any(|kind| name.ends_with(kind))
        {
            let below = path.strip_prefix(repository()).unwrap().to_owned();
            found.insert(below, fs::read(&path).unwrap());
        }
    }
}

/// The packages that the plugins are made of, with their versions, as `Cargo.lock` has them.
fn packages() -> BTreeSet<String> {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let rows = lock["package"].as_array().unwrap();
    let mut open: Vec<String> = names().into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(wanted) = open.pop() {
        // A name, and its version where there are several.
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap(), words.next());
        for row in rows {
            let of = |key: &str| row.get(key).and_then(|value| value.as_str());
            let is_wanted = of("name") == Some(name)
                && version.is_none_or(|version| of("version") == Some(version));
            let package = format!("{name} {}", of("version").unwrap());
            if is_wanted && found.insert(package) {
                let needs = row.get("dependencies").and_then(|list| list.as_array());
                let needs = needs.into_iter().flatten();
                open.extend(needs.map(|one| one.as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

/// The hash of all that the components are made of.
fn digest() -> String {
    let mut files = BTreeMap::new();
    for directory in ["plugins", "plugin-sdk"] {
        sources(&repository().join(directory), &mut files);
    }
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in files {
        let head = format!("{} {}\n", path.display(), bytes.len());
        hasher.update(head.as_bytes()).update(&bytes);
    }
    hasher.update(manifest["profile"]["guest"].to_string().as_bytes());
    for package in packages() {
        hasher.update(package.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

fn renew() {
    for entry in fs::read_dir(carried()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "zst") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut plugins = Vec::new();
    for name in names() {
        let component = plugin(&name);
        let compressed = zstd::encode_all(fs::File::open(&component).unwrap(), LEVEL).unwrap();
        fs::write(packed(&name), compressed).unwrap();
        let file = component.to_str().unwrap();
        plugins.push(json_of(
            repository(),
            &["plugin", "inspect", file, "--json"],
        ));
    }
    let record = json!({ "sources": digest(), "plugins": plugins });
    let text = serde_json::to_string_pretty(&record).unwrap();
    fs::write(carried().join("carried.json"), text + "\n").unwrap();
}

#[test]
fn the_carried_plugins_are_those_of_the_sources() {
    if std::env::var_os("MAINSTAY_RENEW").is_some() {
        renew();
    }
    let record = fs::read(carried().join("carried.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(
        record["sources"],
        digest(),
        "the sources have changed since: `{RENEW}` builds the carried plugins anew"
    );
    let rows = record["plugins"].as_array().unwrap();
    let of = |key: &'static str| {
        rows.iter()
            .map(move |row| row[key].as_str().unwrap().to_owned())
    };
    assert_eq!(of("name").collect::<BTreeSet<_>>(), names());
    for (name, digest) in of("name").zip(of("digest")) {
        let component = zstd::decode_all(fs::File::open(packed(&name)).unwrap()).unwrap();
        let found = blake3::hash(&component).to_hex().to_string();
        assert_eq!(found, digest, "{name}: {RENEW}");
        // Whoever built them is nobody's business.
        let home = std::env::var("HOME").unwrap();
        for place in [
            home.as_str(),
            repository().to_str().unwrap(),
            "registry/src",
        ] {
            let needle = place.as_bytes();
            let is_told = component.windows(needle.len()).any(|bytes| bytes == needle);
            assert!(place == "/" || !is_told, "{name} names {place}");
        }
    }
}

#[test]
fn each_carried_plugin_is_listed_installed_and_says_what_the_list_says() {
    let daemon = Daemon::prepare(&format!("{HOST}{}", sleeper("job")));
    let directory = daemon.directory.path();
    let listed = json_of(directory, &["plugin", "list", "--available", "--json"]);
    let rows = listed.as_array().unwrap();
    assert_eq!(rows.len(), names().len(), "{RENEW}: {listed}");
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let wrote = json_of(directory, &["plugin", "install", name, "--json"]);
        assert_eq!(wrote["directory"], daemon.path("plugins").to_str().unwrap());
        let file = format!("plugins/{name}.wasm");
        let says = json_of(directory, &["plugin", "inspect", &file, "--json"]);
        assert_eq!(says, *row);
    }
    let shown = mainstay(directory, &["plugin", "list", "--available"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for said in [
        "webhook 1.",
        "alerter",
        "asks for http",
        "setting url (required)",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    // Once more changes nothing; what is another build stays.
    let again = mainstay(directory, &["plugin", "install", "webhook"]);
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(again.contains("is there already"), "{again}");
    assert!(
        again.contains("url = \"https://hooks.example/alerts\""),
        "{again}"
    );
    let two = mainstay(directory, &["plugin", "install", "webhook", "log-file"]);
    assert!(two.status.success(), "{two:?}");
    let two = String::from_utf8(two.stdout).unwrap();
    assert_eq!(two.matches("is there already").count(), 2, "{two}");
    let file = daemon.path("plugins/webhook.wasm");
    fs::write(&file, "mine").unwrap();
    let refused = mainstay(directory, &["plugin", "install", "webhook"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("other bytes"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    // An unknown one is told with those that there are.
    let unknown = mainstay(directory, &["plugin", "install", "web-hook"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        said.contains("no plugin `web-hook`") && said.contains("webhook"),
        "{said}"
    );
    let near = mainstay(directory, &["plugin", "install", "webhok"]);
    let said = String::from_utf8(near.stderr).unwrap();
    assert!(said.contains("did you mean `webhook`?"), "{said}");
    assert!(!said.contains("log-file"), "{said}");
}

#[test]
fn an_installed_plugin_serves_in_a_daemon_that_runs() {
    let daemon = Daemon::start(&format!("{HOST}{}", sleeper("job")), &[]);
    let installed = mainstay(
        daemon.directory.path(),
        &["plugin", "install", "restart-service"],
    );
    assert!(installed.status.success(), "{installed:?}");
    daemon.wait_for_plugins(1);
}
