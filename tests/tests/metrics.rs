//! What Prometheus finds at `/metrics` of a running daemon.

use mainstay_tests::{Daemon, HOST, plugin, wait_for};

#[test]
fn the_checks_of_a_running_daemon_are_exported() {
    let target = r#"
[[target]]
name = "db"

[[target.check]]
kind = "exec"
name = "slow"
run = ["sleep", "0.5"]
every = "100ms"
timeout = "100ms"
failure = "service-down"

[[target.check]]
kind = "exec"
name = "quick"
run = ["true"]
every = "1s"
failure = "service-down"
"#;
    let daemon = Daemon::start(&[HOST, target].concat(), &[]);
    for series in [
        "checks_total{target=\"db\",check=\"slow\",outcome=\"failed\"} ",
        "checks_total{target=\"db\",check=\"quick\",outcome=\"healthy\"} ",
        "check_duration_seconds_count{kind=\"exec\"} ",
        "check_lateness_seconds_count ",
    ] {
        wait_for(series, || {
            let text = daemon.metrics();
            if text.lines().any(|line| line.starts_with(series)) {
                Ok(())
            } else {
                Err(text)
            }
        });
    }
}

#[test]
fn every_event_of_a_daemon_is_counted_from_its_first_on() {
    let daemon = Daemon::start(HOST, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    // Read together until they agree: an event may come between the two.
    wait_for("the numbers of the events", || {
        let mut told = std::collections::BTreeMap::new();
        for event in daemon.events() {
            let kind = event["kind"].as_str().unwrap().to_owned();
            *told.entry(kind).or_insert(0_u64) += 1;
        }
        let text = daemon.metrics();
        let counted = text.lines().filter_map(|line| {
            let (kind, count) = line
                .strip_prefix("mainstay_events_total{kind=\"")?
                .split_once("\"} ")?;
            Some((kind.to_owned(), count.parse().unwrap()))
        });
        let counted: std::collections::BTreeMap<String, u64> = counted.collect();
        assert!(told.contains_key("plugin.serving"), "{told:?}");
        match counted == told {
            true => Ok(()),
            false => Err(format!("{counted:?} is counted of {told:?}")),
        }
    });
}

/// The numbers of what the daemon is and does besides checks, whole from the first scrape on.
#[test]
fn the_state_of_the_daemon_is_exported_with_help_and_type_for_each() {
    let budget = "\n[budget]\nconcurrent = 5\nper_hour = 60\n";
    let config = [HOST, &mainstay_tests::sleeper("web"), budget].concat();
    let mut daemon = Daemon::prepare(&config);
    // Its compile is counted.
    daemon.drop_unknown(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    for series in [
        "recovery_operations_waiting{reason=\"person\"} 0",
        "recovery_gate_refusals_total{reason=\"phase\"} 0",
        "recovery_gate_running{scope=\"host\",name=\"\"} 0",
        "recovery_gate_running_limit{scope=\"host\",name=\"\"} 5",
        "recovery_gate_begun_limit{scope=\"host\",name=\"\"} 60",
        "recovery_gate_cooldowns 0",
        "mainstay_build_info{version=\"",
        "mainstay_targets{health=\"failed\"} 0",
        "mainstay_incidents_open{severity=\"critical\"} 0",
        "mainstay_fallback_mode 0",
        "mainstay_health_score ",
        "mainstay_silences 0",
        "mainstay_alerts_waiting 0",
        "mainstay_alerts_in_flight 0",
        "mainstay_journal_size_bytes ",
        "mainstay_journal_writes_total ",
        "mainstay_journal_waiting_changes ",
        "mainstay_journal_lag_seconds_count ",
        "plugin_compiles_total{outcome=\"compiled\"} ",
    ] {
        wait_for(series, || {
            let text = daemon.metrics();
            match text.lines().any(|line| line.starts_with(series)) {
                true => Ok(()),
                false => Err(text),
            }
        });
    }
    let text = daemon.metrics();
    let body = text
        .split_once("\r\n\r\n")
        .map_or(text.as_str(), |(_, body)| body);
    for line in body.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(
            body.contains(&format!("# HELP {name} ")),
            "{name} has no help"
        );
    }
}

/// Each series that the queries and alerts of the seed about backups ask for.
#[test]
fn the_queries_of_the_seed_find_what_they_ask_for_after_backups_and_cleanups() {
    let job = r#"
[[job]]
name = "data"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
retention = { policy = "gfs-retention", min_redundancy = 1 }

[plugin.gfs-retention]
settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }
"#;
    let mut daemon = Daemon::prepare(&[HOST, job].concat());
    std::fs::create_dir(daemon.path("data")).unwrap();
    std::fs::write(daemon.path("data/document"), "x".repeat(5_000)).unwrap();
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    for _ in 0..3 {
        let taken = daemon.json(&["backup", "create", "data"]);
        assert!(taken["backups"][0]["id"].is_string(), "{taken}");
    }
    let pruned = daemon.cli(&["backup", "prune", "--job", "data"]);
    assert!(pruned.status.success(), "{pruned:?}");
    let of = "{backup_job=\"data\"} ";
    for name in [
        "backup_operations_created_total",
        "backup_operations_created_success",
        "backup_operations_created_failed",
        "backup_operations_duration_seconds_sum",
        "backup_operations_duration_seconds_count",
        "backup_operations_size_bytes_total_sum",
        "backup_operations_size_bytes_total_count",
        "backup_retention_removed_count_sum",
        "backup_retention_cleaned_success",
        "backup_retention_cleaned_failed",
        "backup_retention_cleaned_total",
        "backup_newest_verified_age_seconds",
    ] {
        let series = format!("{name}{of}");
        wait_for(&series, || {
            let text = daemon.metrics();
            match text.lines().any(|line| line.starts_with(&series)) {
                true => Ok(()),
                false => Err(text),
            }
        });
    }
    let text = daemon.metrics();
    for operation in ["take", "trash"] {
        let labels = format!("operation=\"{operation}\",outcome=\"done\"");
        let series = format!("backup_store_operations_total{{{labels}}} ");
        assert!(text.contains(&series), "{series} in {text}");
    }
}
