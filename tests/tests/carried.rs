//! The plugins that come with the program: they are those of the sources, say of themselves what the program says of them,
//! and are put where a daemon takes them from.

use mainstay_tests::{
    Daemon, HOST, carried, digest_of_plugins, guest, packed, plugin_names, program, repository,
    sleeper,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

/// Builds them anew and writes down what they say; then the program is to be built anew too.
const RENEW: &str = "MAINSTAY_RENEW=1 cargo test -p mainstay-tests carried::the_carried";

/// They are packed once and unpacked in milliseconds.
const LEVEL: i32 = 19;

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

fn renew() {
    for entry in fs::read_dir(carried()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "zst") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut plugins = Vec::new();
    for name in plugin_names() {
        let component = guest(&name, &[]);
        let compressed = zstd::encode_all(fs::File::open(&component).unwrap(), LEVEL).unwrap();
        fs::write(packed(&name), compressed).unwrap();
        let file = component.to_str().unwrap();
        plugins.push(json_of(
            repository(),
            &["plugin", "inspect", file, "--json"],
        ));
    }
    let record = json!({ "sources": digest_of_plugins(), "plugins": plugins });
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
        digest_of_plugins(),
        "the sources have changed since: `{RENEW}` builds the carried plugins anew"
    );
    let rows = record["plugins"].as_array().unwrap();
    let of = |key: &'static str| {
        rows.iter()
            .map(move |row| row[key].as_str().unwrap().to_owned())
    };
    assert_eq!(of("name").collect::<BTreeSet<_>>(), plugin_names());
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
    assert_eq!(rows.len(), plugin_names().len(), "{RENEW}: {listed}");
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
    // What else is wrong with the config does not matter, but for what says where plugins lie.
    let config = fs::read_to_string(daemon.path("mainstay.toml")).unwrap();
    let lacking = "\n[plugin.webhook]\ngrants = { mail = [\"opps\"] }\n";
    for (text, code, says) in [
        (
            format!("{config}{lacking}"),
            0,
            "[plugin.webhook] is in the config",
        ),
        (
            config.replace("plugin_dir", "plugins_dir"),
            2,
            "[host] has no `plugin_dir`",
        ),
    ] {
        fs::write(daemon.path("mainstay.toml"), text).unwrap();
        let output = mainstay(directory, &["plugin", "install", "webhook"]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
    }
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
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
