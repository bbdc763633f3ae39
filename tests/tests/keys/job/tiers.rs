//! Where backups are stored: `[tier.NAME]`, and `tiers` of a job.

use super::prepare;
use mainstay_tests::{AzureServer, Daemon, GcsServer, HOST, ObjectServer, S3Server, tls_file};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

/// How many files of a backup are in a directory.
fn files(daemon: &Daemon, directory: &str, id: &str) -> usize {
    let entries = fs::read_dir(daemon.path(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with(id))
        .count()
}

/// Acts: `tier.*(directory)`, `tier.*(directory).path`, `tier.*(directory).role`
/// Acts: `job.tiers.full`, `job.tiers.differential`, `job.tiers.incremental`, `job.tiers.snapshot`
/// Acts: `job.tiers.emergency`
#[test]
fn backups_are_in_the_tiers_that_the_job_says_and_else_the_roles() {
    let mut daemon = prepare(
        r#"
[tier.nas]
kind = "directory"
path = "nas"

[tier.bucket]
path = "bucket"
role = "cloud"

[tier.cold]
path = "cold"
role = "archive"

[[job]]
name = "silent"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[job]]
name = "said"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
tiers = { full = ["nas"], differential = ["bucket"], incremental = ["cold"], snapshot = ["bucket"], emergency = ["nas", "local"] }
"#,
    );
    for tier in ["nas", "bucket", "cold"] {
        fs::create_dir(daemon.path(tier)).unwrap();
    }
    daemon.run();
    for (job, of_type, tier) in [
        ("silent", "full", "bucket"),
        ("silent", "differential", "nas"),
        ("silent", "incremental", "local"),
        ("silent", "snapshot", "local"),
        ("silent", "emergency", "local"),
        ("said", "full", "nas"),
        ("said", "differential", "bucket"),
        ("said", "incremental", "cold"),
        ("said", "snapshot", "bucket"),
        ("said", "emergency", "nas"),
    ] {
        let report = daemon.json(&["backup", "create", job, "--type", of_type]);
        let backup = &report["backups"][0];
        assert_eq!(backup["tier"], tier, "{job} {of_type}");
        assert_eq!(backup["type"], of_type, "{job}");
        let id = backup["id"].as_str().unwrap();
        let place = match tier {
            "local" => format!("state/backups/{job}"),
            tier => format!("{tier}/{job}"),
        };
        assert!(
            files(&daemon, &place, id) >= 2,
            "archive and manifest of {id}"
        );
    }
    let stats = daemon.json(&["backup", "stats"]);
    for tier in ["local", "nas", "bucket", "cold"] {
        assert!(
            stats["by_tier"][tier]["backups"].as_u64() > Some(0),
            "{stats}"
        );
    }
}

/// Acts: `tier.*(s3)`, `tier.*(s3).url`, `tier.*(s3).endpoint`, `tier.*(s3).region`, `tier.*(s3).access_key`
/// Acts: `tier.*(s3).secret_key`, `tier.*(s3).ca`
#[test]
fn full_backups_are_in_the_bucket_that_the_keys_name_and_in_none_where_one_of_them_is_wrong() {
    let server = S3Server::start_with_tls();
    let authority = format!("ca = {:?}\n", tls_file("authority.pem"));
    let right = server.tier() + &authority;
    let wrong = right.replace(
        "secret_key = \"${secret:bucket-key}\"",
        "secret_key = \"${secret:bucket-id}\"",
    );
    let elsewhere = right.replace("region = \"eu-central-1\"", "region = \"eu-north-1\"");
    let other = tls_file("expired.pem");
    let distrusted = right.replace(&authority, &format!("ca = {other:?}\n"));
    for (config, tier, says) in [
        (right, "offsite", ""),
        (wrong, "local", "403"),
        (elsewhere, "local", "403"),
        (distrusted, "local", "certificate"),
    ] {
        is_in(&server, &config, tier, says);
    }
}

/// Acts: `tier.*(azure)`, `tier.*(azure).url`, `tier.*(azure).account`, `tier.*(azure).endpoint`
/// Acts: `tier.*(azure).secret_key`, `tier.*(azure).ca`
#[test]
fn full_backups_are_in_the_container_that_the_key_is_for_and_in_none_where_a_key_of_the_tier_is_wrong()
 {
    let server = AzureServer::start_with_tls();
    let authority = format!("ca = {:?}\n", tls_file("authority.pem"));
    let right = server.tier() + &authority;
    let with = |from: &str, to: &str| {
        assert!(right.contains(from), "{right}");
        right.replace(from, to)
    };
    let other = tls_file("expired.pem");
    for (config, tier, says) in [
        (right.clone(), "offsite", ""),
        (
            with("${secret:azure-key}", "${secret:other-key}"),
            "local",
            "403",
        ),
        (
            with("${secret:azure-key}", "${secret:no-key}"),
            "local",
            "neither a key of a storage account",
        ),
        // Another host has a place of its own.
        (
            with("${secret:azure-key}", "${secret:to-read}").replace("/web-1", "/web-2"),
            "local",
            "403",
        ),
        (
            with("${secret:azure-key}", "${secret:signature}").replace("/web-1", "/web-2"),
            "offsite",
            "",
        ),
        (
            with("account = \"shop\"", "account = \"pohs\""),
            "local",
            "403",
        ),
        (with("/shop\"\n", "/pohs\"\n"), "local", "answered 4"),
        (
            with("az://backups/", "az://archive/"),
            "local",
            "has no bucket `archive`",
        ),
        (
            with(&authority, &format!("ca = {other:?}\n")),
            "local",
            "certificate",
        ),
    ] {
        is_in(&server, &config, tier, says);
    }
}

/// Acts: `tier.*(gcs)`, `tier.*(gcs).url`, `tier.*(gcs).endpoint`, `tier.*(gcs).secret_key`, `tier.*(gcs).ca`
#[test]
fn full_backups_are_in_the_bucket_that_the_service_account_may_use_and_in_none_where_a_key_of_the_tier_is_wrong()
 {
    let server = GcsServer::start_with_tls();
    let authority = format!("ca = {:?}\n", tls_file("authority.pem"));
    let right = server.tier() + &authority;
    let with = |from: &str, to: &str| {
        assert!(right.contains(from), "{right}");
        right.replace(from, to)
    };
    let other = tls_file("expired.pem");
    for (config, tier, says) in [
        (right.clone(), "offsite", ""),
        (
            with("${secret:gcs-key}", "${secret:no-key}"),
            "local",
            "no key of a service account",
        ),
        (
            with("gs://backups/", "gs://archive/"),
            "local",
            "has no bucket `archive`",
        ),
        (
            with("https://localhost:", "https://localhost:1/"),
            "local",
            "no answer that is of use",
        ),
        (
            with(&authority, &format!("ca = {other:?}\n")),
            "local",
            "certificate",
        ),
    ] {
        is_in(&server, &config, tier, says);
    }
}

/// A full backup by this config is in the tier, and else people hear of it.
#[track_caller]
fn is_in(server: &ObjectServer, config: &str, tier: &str, says: &str) {
    let job = "[[job]]\nname = \"state\"\nencryption = \"none\"\n\
               source = [{ kind = \"directory\", path = \"data\" }]\n";
    let mut daemon = Daemon::prepare(&[HOST, config, job].concat());
    server.let_in(&mut daemon);
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    let report = daemon.json(&["backup", "create", "state", "--type", "full"]);
    let backup = &report["backups"][0];
    assert_eq!(backup["tier"], tier, "{config}");
    let id = backup["id"].as_str().unwrap();
    let keys = server.keys_with(&format!("/state/{id}"));
    assert_eq!(keys.len(), if tier == "local" { 0 } else { 2 }, "{keys:?}");
    if !says.is_empty() {
        let told = daemon.wait_for_event("the fall-over", |event| {
            event["kind"] == "backup.fell-over" && event["backup"] == id
        });
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    let log = daemon.log();
    for secret in [server.secret_key(), "sig="] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Acts: `job.archive.tier`, `job.archive.full_after`, `job.archive.differential_after`
#[test]
fn a_backup_goes_to_the_tier_of_the_archive_when_it_has_the_age_of_its_type() {
    let mut daemon = prepare(
        r#"
[tier.cold]
path = "cold"
role = "archive"

[[job]]
name = "fulls"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
archive = { tier = "cold", full_after = "100ms" }

[[job]]
name = "differentials"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
archive = { tier = "cold", differential_after = "100ms" }
"#,
    );
    fs::create_dir(daemon.path("cold")).unwrap();
    daemon.run();
    for (job, goes) in [("fulls", "full"), ("differentials", "differential")] {
        let taken = ["full", "differential"].map(|of_type| {
            let report = daemon.json(&["backup", "create", job, "--type", of_type]);
            report["backups"][0]["id"].as_str().unwrap().to_owned()
        });
        let [full, differential] = taken;
        let (moved, stays) = match goes {
            "full" => (full, differential),
            _ => (differential, full),
        };
        let event = daemon.wait_for_event("the move", |event| {
            event["kind"] == "backup.moved" && event["backup"] == moved
        });
        assert_eq!(event["data"]["tier"], "cold", "{event}");
        assert_eq!(event["data"]["by"], serde_json::Value::Null, "{event}");
        for (id, tier) in [(&moved, "cold"), (&stays, "local")] {
            assert_eq!(daemon.json(&["backup", "show", id])["tier"], tier, "{goes}");
        }
        assert_eq!(files(&daemon, &format!("cold/{job}"), &moved), 2);
        let verified = daemon.cli(&["backup", "verify", &stays]);
        assert!(verified.status.success(), "{verified:?}");
    }
}

#[test]
fn what_no_other_tier_takes_is_where_the_config_says() {
    let mut daemon = prepare(
        r#"
[tier.local]
path = "store"

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#,
    );
    daemon.run();
    let report = daemon.json(&["backup", "create", "state"]);
    let backup = &report["backups"][0];
    assert_eq!(backup["tier"], "local");
    let id = backup["id"].as_str().unwrap();
    assert!(
        files(&daemon, "store/state", id) >= 2,
        "archive and manifest"
    );
    assert!(!daemon.path("state/backups/state").exists());
    let verified = daemon.cli(&["backup", "verify", id]);
    assert!(verified.status.success(), "{verified:?}");
}

/// Acts: `tier.*(directory).bandwidth.from`, `tier.*(directory).bandwidth.to`, `tier.*(directory).bandwidth.zone`
/// Acts: `tier.*(directory).bandwidth.limit`
#[test]
fn bytes_go_to_a_tier_no_faster_than_it_says_for_this_time_of_day() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let hour = since_epoch.as_secs() / 3600 % 24;
    let (from, to) = ((hour + 23) % 24, (hour + 1) % 24 + 1);
    let around_now = format!("from = \"{from:02}:00\", to = \"{to:02}:00\", limit = \"16KiB\"");
    let job = |name: &str, zone: &str| {
        format!(
            r#"
[tier.{name}]
path = "{name}"
bandwidth = [{{ {around_now}, zone = "{zone}" }}]

[[job]]
name = "{name}"
encryption = "none"
source = [{{ kind = "directory", path = "noise" }}]
tiers = {{ full = ["{name}"] }}
"#
        )
    };
    // There it is another half of the day.
    let jobs = [job("slow", "UTC"), job("fast", "Etc/GMT+12")].concat();
    let mut daemon = prepare(&jobs);
    for directory in ["noise", "slow", "fast"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    // Nothing gets it smaller, so that at this limit it takes minutes.
    let mut noise = vec![0; 4 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    fs::write(daemon.path("noise/file"), noise).unwrap();
    daemon.run();
    // Each is due at once.
    for (job, kind) in [("slow", "backup.started"), ("fast", "backup.verified")] {
        daemon.wait_for_event(kind, |event| event["kind"] == kind && event["job"] == job);
    }
    let list = daemon.json(&["backup", "list", "--job", "slow"]);
    let found = list.as_array().unwrap().iter();
    let states: Vec<_> = found.map(|backup| backup["status"].clone()).collect();
    assert_eq!(states, ["in-progress"], "{list}");
    assert!(daemon.stop(), "who waits ends");
}
