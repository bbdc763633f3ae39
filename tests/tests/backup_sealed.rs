//! Backups that are encrypted, on a host that reads them and on one that cannot; and whose backups a host takes for its own.

use mainstay_tests::{Daemon, HOST, packages, said, take_backup};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// A job over `data`, whose first backup is due at once, and no other for as long as a test lasts.
fn job(sealing: &str) -> String {
    format!(
        "\n[[job]]\nname = \"state\"\nsource = [{{ kind = \"directory\", path = \"data\" }}]\n{sealing}\n"
    )
}

/// A daemon whose job encrypts to one recipient of its config and to those of a file. Gives the file of the second's identity.
fn sealed(more: &str) -> (Daemon, PathBuf) {
    // Its identity is nobody's.
    let known = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let line = format!(
        "encryption = {{ recipients = [\"{known}\"], recipients_file = \"keys/recipients.txt\" }}\n{more}"
    );
    let mut daemon = Daemon::prepare(&[HOST, &job(&line)].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "what is in a\n").unwrap();
    fs::create_dir(daemon.path("keys")).unwrap();
    let identity = daemon.path("keys/drill.txt");
    let made = daemon.cli(&["backup", "keygen", identity.to_str().unwrap()]);
    assert!(made.status.success(), "{}", said(&made));
    fs::write(daemon.path("keys/recipients.txt"), &made.stdout).unwrap();
    daemon.run();
    daemon.wait_for_status("the first backup", |status| {
        status["jobs"][0]["last_status"] == "verified"
    });
    (daemon, identity)
}

fn manifest(daemon: &Daemon, id: &str) -> Value {
    let path = daemon
        .path("state/backups/state")
        .join(format!("{id}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What stands in docs/state.md, with the programs of the distribution.
fn by_hand(identity: &Path, archive: &Path, filter: &str) -> String {
    let script =
        "set -o pipefail; \"$AGE\" -d -i \"$1\" \"$2\" | \"$ZSTD\" -dc | \"$JQ\" -r \"$3\"";
    let mut command = Command::new("bash");
    command
        .args(["-c", script, "bash"])
        .args([identity, archive]);
    command
        .arg(filter)
        .env("LD_LIBRARY_PATH", packages().libraries());
    for (name, program) in [("AGE", "age"), ("ZSTD", "zstd"), ("JQ", "jq")] {
        command.env(name, packages().program(program));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Acts: `job.encryption.recipients`, `job.encryption.recipients_file`, `job.identity.file`
#[test]
fn a_sealed_full_backup_is_read_by_hand_and_by_a_host_that_has_an_identity() {
    let (mut daemon, identity) = sealed("identity = { file = \"keys/drill.txt\" }");
    let id = take_backup(&daemon, "full");
    let recipients = manifest(&daemon, &id)["encryption"]["recipients"].clone();
    assert_eq!(recipients.as_array().unwrap().len(), 2, "{recipients}");
    let archive = daemon
        .path("state/backups/state")
        .join(format!("{id}.jsonl.zst.age"));
    let drilled = daemon.cli(&["backup", "drill", "state"]);
    assert!(drilled.status.success(), "{}", said(&drilled));
    let dumped = daemon.cli(&["backup", "dump", &id, "a"]);
    assert_eq!(dumped.stdout, b"what is in a\n", "{}", said(&dumped));
    assert!(daemon.stop());
    let text = by_hand(
        &identity,
        &archive,
        ".document | select(.key == \"a\") | .text",
    );
    assert_eq!(text, "what is in a\n\n");
    // Who makes the identity readable to others is refused, and told why.
    daemon.run();
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = daemon.cli(&["backup", "dump", &id, "a"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("mode 0644"), "{}", said(&refused));
}

/// The script in docs/state.md that restores a tree.
fn script() -> &'static str {
    let text = include_str!("../../docs/state.md");
    let (_, script) = text.split_once("```sh\nset -eu\n").unwrap();
    script.split_once("```").unwrap().0
}

/// The command in README.md that prints a small file, here that of `a`.
fn command_of_readme() -> String {
    let text = include_str!("../../README.md");
    let (_, command) = text.split_once("\n`age -d ").unwrap();
    let (command, _) = command.split_once("`\n").unwrap();
    let command = format!("age -d {command}");
    command
        .replace("-i KEY ful-….jsonl.zst.age ", "-i \"$2\" \"$1\" ")
        .replace("\"index.html\"", "\"a\"")
}

/// What a directory holds, by the names below it: of a link where it leads, of a file its mode and content.
fn tree(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let held = if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
            (0, Vec::new())
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            (0, target.into_os_string().into_encoded_bytes())
        } else {
            let mode = metadata.permissions().mode();
            (mode & 0o7777, fs::read(&path).unwrap())
        };
        let name = path.strip_prefix(directory).unwrap();
        found.insert(name.to_owned(), held);
    }
    found
}

#[test]
fn a_whole_sealed_tree_is_restored_by_hand_where_there_is_no_mainstay() {
    let (mut daemon, identity) = sealed("");
    let data = daemon.path("data");
    fs::create_dir_all(data.join("dir/below")).unwrap();
    fs::create_dir(data.join("empty")).unwrap();
    fs::write(data.join("dir/below/b"), [0, 159, 146, 150]).unwrap();
    fs::write(data.join("dir/nothing"), "").unwrap();
    fs::write(data.join("large"), "ä line\n".repeat(300_000)).unwrap();
    fs::hard_link(data.join("large"), data.join("dir/large")).unwrap();
    fs::set_permissions(data.join("a"), fs::Permissions::from_mode(0o640)).unwrap();
    for (target, name) in [
        ("dir/below/b", "link"),
        ("below", "dir/to"),
        ("/no where", "dangling"),
    ] {
        symlink(target, data.join(name)).unwrap();
    }
    let id = take_backup(&daemon, "full");
    assert!(daemon.stop());

    let [tools, place] = ["tools", "by-hand"].map(|name| daemon.path(name));
    for directory in [&tools, &place] {
        fs::create_dir(directory).unwrap();
    }
    for name in ["age", "zstd", "jq"] {
        symlink(packages().program(name), tools.join(name)).unwrap();
    }
    let archive = daemon
        .path("state/backups/state")
        .join(format!("{id}.jsonl.zst.age"));
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let run = |script: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", script, "sh"]);
        command.args([&archive, &identity]).current_dir(&place);
        command
            .env_clear()
            .env("PATH", &path)
            .env("LD_LIBRARY_PATH", packages().libraries());
        command.output().unwrap()
    };
    let mainstay = run("command -v mainstay");
    assert!(!mainstay.status.success(), "{}", said(&mainstay));
    let printed = run(&command_of_readme());
    assert_eq!(printed.stdout, b"what is in a\n\n", "{}", said(&printed));
    let restored = run(script());
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(tree(&place.join("out")) == tree(&data));
    // Whoever has another identity gets nothing.
    let other = daemon.path("keys/other.txt");
    let made = daemon.cli(&["backup", "keygen", other.to_str().unwrap()]);
    assert!(made.status.success(), "{}", said(&made));
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir(&place).unwrap();
    let refused = run(&format!(
        "set -- \"$1\" '{}'\n{}",
        other.display(),
        script()
    ));
    assert!(!refused.status.success(), "{}", said(&refused));
    assert_eq!(fs::read_dir(place.join("out")).unwrap().count(), 0);
}

/// Acts: `job.index`
#[test]
fn a_host_without_identity_takes_what_it_cannot_read_and_without_index_fulls_alone() {
    let (daemon, _) = sealed("");
    let id = take_backup(&daemon, "incremental");
    assert!(id.starts_with("add-"), "by the index: {id}");
    let verified = daemon.cli(&["backup", "verify", &id]);
    assert!(verified.status.success(), "{}", said(&verified));
    let verified = said(&verified);
    assert!(verified.contains("verified as stored"), "{verified}");
    assert_eq!(daemon.json(&["backup", "show", &id])["stored_only"], true);
    let refused = daemon.cli(&["backup", "restore", "state", "--into", "restored"]);
    assert!(!refused.status.success());
    let refused = said(&refused);
    assert!(refused.contains("identity = { file"), "{refused}");

    let (daemon, _) = sealed("index = false");
    let id = take_backup(&daemon, "incremental");
    assert!(id.starts_with("ful-"), "{id}");
    for entry in fs::read_dir(daemon.path("state/backups/state")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".index.zst"), "{name}");
    }
}

/// Acts: `host.trusted_backup_keys`
#[test]
fn the_backups_of_another_host_are_taken_up_only_where_its_key_is_trusted() {
    let (mut first, _) = sealed("");
    let id = take_backup(&first, "full");
    let key = manifest(&first, &id)["signature"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(first.json(&["status"])["host"]["backup_key"], key.as_str());
    assert!(first.stop());
    let plain = job("encryption = \"none\"\nfull = \"3650d\"");
    for (trusted, is_taken_up) in [(String::new(), false), (key, true)] {
        let line = match trusted.is_empty() {
            true => String::new(),
            false => format!("trusted_backup_keys = [\"{trusted}\"]\n"),
        };
        let mut second = Daemon::prepare(&[HOST, &line, &plain].concat());
        fs::create_dir(second.path("data")).unwrap();
        fs::create_dir(second.path("state")).unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .args([first.path("state/backups"), second.path("state/backups")]);
        assert!(copy.status().unwrap().success());
        second.run();
        let listed = second.json(&["backup", "list"]).to_string();
        assert_eq!(listed.contains(&id), is_taken_up, "{listed}");
        if is_taken_up {
            second.wait_for_event("that it was recorded", |event| {
                event["kind"] == "backup.recorded" && event["backup"] == id.as_str()
            });
        }
        let rebuilt = second.cli(&["backup", "list", "--rebuild"]);
        let expected = if is_taken_up { 0 } else { 3 };
        assert_eq!(rebuilt.status.code(), Some(expected), "{}", said(&rebuilt));
        let named = said(&rebuilt).contains(&format!("{id}.json"));
        assert_eq!(named, !is_taken_up, "{}", said(&rebuilt));
        if !is_taken_up {
            assert!(
                second.log().contains("trusted_backup_keys"),
                "{}",
                second.log()
            );
        }
    }
}

#[test]
fn who_has_the_identity_reads_with_it_on_a_host_that_has_none_and_it_is_kept_nowhere() {
    let (mut daemon, identity) = sealed("");
    let id = take_backup(&daemon, "incremental");
    let file = identity.to_str().unwrap();
    let into = daemon.path("restored");
    let commands: [&[&str]; 5] = [
        &["verify", &id],
        &["ls", &id],
        &["dump", &id, "a"],
        &["drill", "state"],
        &["restore", "state", "--into", into.to_str().unwrap()],
    ];
    for command in commands {
        let command = [&["backup"][..], command, &["--identity", file][..]].concat();
        let done = daemon.cli(&command);
        assert!(done.status.success(), "{command:?}: {}", said(&done));
    }
    assert_eq!(fs::read(into.join("a")).unwrap(), b"what is in a\n");
    let shown = daemon.json(&["backup", "show", &id]);
    assert_eq!(shown["stored_only"], Value::Null, "{shown}");
    // It was for these alone.
    let refused = daemon.cli(&["backup", "dump", &id, "a"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("--identity"), "{}", said(&refused));
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = daemon.cli(&["backup", "dump", &id, "a", "--identity", file]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("mode 0644"), "{}", said(&refused));
    assert!(daemon.stop());
    let text = fs::read_to_string(&identity).unwrap();
    let secret = text.lines().last().unwrap();
    assert!(secret.starts_with("AGE-SECRET-KEY-1"));
    assert!(!daemon.log().contains(secret));
    assert_eq!(holders(&daemon.path("state"), secret.as_bytes()), [""; 0]);
}

/// Acts: `host.trusted_backup_keys`
#[test]
fn a_lost_signing_key_makes_no_backup_corrupted_and_trust_in_it_gives_all_back() {
    let (mut daemon, _) = sealed("identity = { file = \"keys/drill.txt\" }");
    let id = take_backup(&daemon, "full");
    let key = manifest(&daemon, &id)["signature"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(daemon.stop());
    fs::remove_file(daemon.path("state/backup-signing.key")).unwrap();
    daemon.run();
    let refused = daemon.cli(&["backup", "verify", &id]);
    assert!(!refused.status.success());
    let refused = said(&refused);
    assert!(
        refused.contains("is not trusted") && refused.contains(&key),
        "{refused}"
    );
    let shown = daemon.json(&["backup", "show", &id]);
    assert_eq!(shown["status"], "verified", "{shown}");
    // Nothing is built on what is not trusted.
    let next = take_backup(&daemon, "incremental");
    assert!(next.starts_with("ful-"), "{next}");
    assert!(daemon.stop());
    let config = fs::read_to_string(daemon.path("mainstay.toml")).unwrap();
    let line = format!("plugin_dir = \"plugins\"\ntrusted_backup_keys = [\"{key}\"]\n");
    let config = config.replacen("plugin_dir = \"plugins\"\n", &line, 1);
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    for id in [&id, &next] {
        let verified = daemon.cli(&["backup", "verify", id]);
        assert!(verified.status.success(), "{}", said(&verified));
    }
}

#[test]
fn what_is_stored_is_encrypted_to_the_present_recipients_and_the_old_key_opens_nothing() {
    let (daemon, old) = sealed("");
    let id = take_backup(&daemon, "incremental");
    let new = daemon.path("keys/new.txt");
    let made = daemon.cli(&["backup", "keygen", new.to_str().unwrap()]);
    assert!(made.status.success(), "{}", said(&made));
    fs::write(daemon.path("keys/recipients.txt"), &made.stdout).unwrap();
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let rekey = |more: &[&str]| {
        let command = [&["backup", "rekey", "state"][..], more].concat();
        daemon.cli(&command)
    };
    let would = rekey(&["--dry-run", "--identity", old]);
    assert_eq!(would.status.code(), Some(0), "{}", said(&would));
    assert!(said(&would).contains("nothing was changed"));
    let done = rekey(&["--identity", old]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let dump = |key: &str| daemon.cli(&["backup", "dump", &id, "a", "--identity", key]);
    assert_eq!(dump(new).stdout, b"what is in a\n");
    assert!(!dump(old).status.success());
    let verified = daemon.cli(&["backup", "verify", &id, "--identity", new]);
    assert!(verified.status.success(), "{}", said(&verified));
    // Where nothing opens what is stored, it stays, and a full one is taken.
    fs::write(daemon.path("keys/recipients.txt"), "").unwrap();
    let left = rekey(&[]);
    assert_eq!(left.status.code(), Some(1), "{}", said(&left));
    let another = daemon.cli(&[
        "backup",
        "keygen",
        daemon.path("keys/third.txt").to_str().unwrap(),
    ]);
    fs::write(daemon.path("keys/recipients.txt"), &another.stdout).unwrap();
    let left = rekey(&[]);
    assert_eq!(left.status.code(), Some(3), "{}", said(&left));
    assert!(said(&left).contains("was taken"), "{}", said(&left));
    assert_eq!(dump(new).stdout, b"what is in a\n");
}

/// The files below a directory that hold some bytes.
fn holders(directory: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, bytes));
        } else if path.is_file() {
            let content = fs::read(&path).unwrap();
            let holds = content.windows(bytes.len()).any(|window| window == bytes);
            found.extend(holds.then(|| path.display().to_string()));
        }
    }
    found
}
