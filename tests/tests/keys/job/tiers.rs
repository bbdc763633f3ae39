//! Where backups are stored: `[tier.NAME]`, and `tiers` of a job.

use super::prepare;
use mainstay_tests::Daemon;
use std::fs;

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
