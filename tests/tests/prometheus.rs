//! What Prometheus makes of a running daemon, that of Debian: it scrapes `/metrics` over TCP while there are recoveries, backups
//! and cleanups, and answers the queries and rules of the seed about backups [seed 003], those of docs/metrics.md, and those of
//! the alert rules and of the dashboard that come with the program.

use mainstay_tests::{Daemon, HOST, free_port, packages, plugin, repository, sleeper, wait_for};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The alert rules that come with the program.
const RULES_FILE: &str = "docs/monitoring/mainstay.rules.yml";

/// As the seed has them.
const QUERIES: [&str; 5] = [
    "sum(rate(backup_operations_created_success[1h])) / sum(rate(backup_operations_created_total[1h]))",
    "rate(backup_operations_duration_seconds_sum[5m]) / rate(backup_operations_duration_seconds_count[5m])",
    "rate(backup_operations_size_bytes_total_sum[5m]) / rate(backup_operations_size_bytes_total_count[5m])",
    "sum(rate(backup_retention_removed_count_sum[1h])) / sum(rate(backup_retention_cleaned_success[1h]))",
    "sum(rate(backup_retention_cleaned_failed[5m])) / sum(rate(backup_retention_cleaned_total[5m]))",
];

/// Its rules, which answer where something is wrong: here some backups and some cleanups fail. But nothing is as large as 100 MB,
/// and so the last one is asked with a smaller bound.
const RULES: [&str; 4] = [
    "sum(rate(backup_operations_created_success[5m])) / sum(rate(backup_operations_created_total[5m])) < 0.95",
    "rate(backup_operations_created_failed[5m]) > 0",
    "rate(backup_retention_cleaned_failed[5m]) > 0",
    "rate(backup_operations_size_bytes_total_sum[5m]) / rate(backup_operations_size_bytes_total_count[5m]) > 1000",
];

/// What people ask of recoveries, checks and the daemon.
const OTHERS: [&str; 8] = [
    "sum(rate(recovery_operations_completed_success_total[5m])) / sum(rate(recovery_operations_completed_total[5m]))",
    "rate(recovery_operation_duration_seconds_sum[5m]) / rate(recovery_operation_duration_seconds_count[5m])",
    "rate(recovery_operation_retry_attempts_sum[5m]) / rate(recovery_operation_retry_attempts_count[5m])",
    "sum by (handler) (recovery_operations_started_total)",
    "sum by (outcome) (rate(checks_total[5m]))",
    "histogram_quantile(0.99, sum by (le) (rate(check_lateness_seconds_bucket[5m])))",
    "mainstay_targets{health=\"healthy\"}",
    "mainstay_alerts_waiting or mainstay_journal_size_bytes or backup_newest_verified_age_seconds",
];

const JOBS: &str = r#"
[[target.check]]
kind = "process"
every = "200ms"
failure = "service-down"

[[route]]
failure = "service-down"
strategy = { kind = "immediate", max_attempts = 3 }
relapse_window = "0s"
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }

[[job]]
name = "data"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
retention = { policy = "gfs-retention", min_redundancy = 1 }

[[job]]
name = "broken"
encryption = "none"
source = [{ kind = "command", run = ["false"], key = "nothing" }]
retention = { policy = "nobody" }

[plugin.gfs-retention]
settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }
"#;

/// A daemon that is asked over TCP.
fn start(port: u16) -> Daemon {
    let host = HOST.trim_end();
    let api = format!("api = {{ listen = \"127.0.0.1:{port}\", token = \"scrape\" }}\n\n");
    let secret = "[secrets]\nscrape = { file = \"scrape\" }\n";
    let config = [host, "\n", &api, secret, &sleeper("web"), JOBS].concat();
    let mut daemon = Daemon::prepare(&config);
    fs::write(daemon.path("scrape"), "lets-prometheus-in").unwrap();
    fs::set_permissions(daemon.path("scrape"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/document"), "x".repeat(5_000)).unwrap();
    for name in ["restart-service", "gfs-retention"] {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon.wait_for_status("the target to be healthy", |status| {
        status["targets"][0]["health"] == "healthy"
    });
    daemon
}

/// One that scrapes each second; it ends with the test.
struct Prometheus {
    child: Child,
    port: u16,
    log: std::path::PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn start(directory: &Path, daemon: u16) -> Self {
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: mainstay\n    authorization:\n      \
             credentials: lets-prometheus-in\n    static_configs:\n      - targets: [\"127.0.0.1:{daemon}\"]\n"
        );
        let (file, log) = (
            directory.join("prometheus.yml"),
            directory.join("prometheus.log"),
        );
        fs::write(&file, config).unwrap();
        let port = free_port();
        let output = fs::File::create(&log).unwrap();
        let child = Command::new(packages().program("prometheus"))
            .env("LD_LIBRARY_PATH", packages().libraries())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("prometheus").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, port, log }
    }

    /// The numbers that a query answers with, those that are none left out; else what is wrong.
    fn ask(&self, query: &str) -> Result<Vec<f64>, String> {
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))
            .map_err(|error| format!("{error}\n{}", log()))?;
        let request = format!(
            "GET /api/v1/query?query={} HTTP/1.0\r\nhost: localhost\r\n\r\n",
            encoded(query)
        );
        let mut answer = String::new();
        stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer))
            .map_err(|error| format!("{error}\n{}", log()))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: Value = serde_json::from_str(body).map_err(|_| answer.clone())?;
        let rows = body["data"]["result"]
            .as_array()
            .ok_or_else(|| answer.clone())?;
        let numbers = rows
            .iter()
            .filter_map(|row| row["value"][1].as_str()?.parse::<f64>().ok());
        let numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
        match numbers.is_empty() {
            true => Err(format!("no number answers `{query}`: {body}")),
            false => Ok(numbers),
        }
    }
}

/// A text as it stands in a URL.
fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// The queries that docs/metrics.md shows.
fn documented() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let blocks = page.split("```promql\n").skip(1);
    let queries = blocks.map(|block| block.split("\n```").next().unwrap().to_owned());
    queries.collect()
}

/// What the alert rules that come with the program hold against a bound.
fn compared() -> Vec<String> {
    let rules = rules();
    let left = values(&rules, "expr: ")
        .into_iter()
        .map(|query| query.rsplitn(3, ' ').nth(2).unwrap().to_owned());
    left.collect()
}

/// What the panels of the dashboard that comes with the program ask, of all jobs and of a time that a test lasts.
fn panels() -> Vec<String> {
    let file = repository().join("docs/monitoring/mainstay.dashboard.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert_eq!(panels.len(), 6);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "backup_job"]);
    let mut asked = Vec::new();
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$backup_job", ".*");
            let query = query.replace("$__range", "5m");
            assert!(!query.contains('$'), "{query}");
            asked.push(query);
        }
    }
    asked
}

/// What there is to count, besides checks.
fn happen(daemon: &Daemon) {
    daemon.json(&["backup", "create", "data"]);
    let pruned = daemon.cli(&["backup", "prune", "--job", "data"]);
    assert!(pruned.status.success(), "{pruned:?}");
    for fails in [
        &["backup", "create", "broken"][..],
        &["backup", "prune", "--job", "broken"],
    ] {
        assert!(!daemon.cli(fails).status.success(), "{fails:?}");
    }
}

#[test]
fn prometheus_answers_the_queries_of_the_seed_and_of_the_docs_with_numbers() {
    let port = free_port();
    let daemon = start(port);
    let prometheus = Prometheus::start(daemon.directory.path(), port);
    wait_for("the first scrape", || match prometheus.ask("up") {
        Ok(up) if up == [1.0] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // What has a series only once it happened is counted by a rate from the second time on.
    for times in 1..=2 {
        daemon.kill_child("web");
        daemon.wait_for_successes("web", times);
        let counted = format!("sum(recovery_operations_completed_success_total) == {times}");
        wait_for(&counted, || prometheus.ask(&counted).map(drop));
    }
    let documented = documented();
    assert!(documented.len() >= 2, "{documented:?}");
    let (compared, panels) = (compared(), panels());
    assert_eq!(compared.len(), 4);
    let asked = QUERIES.iter().chain(&RULES).chain(&OTHERS).copied();
    let others = documented.iter().chain(&compared).chain(&panels);
    let others = others.map(String::as_str);
    let asked: Vec<&str> = asked.chain(others).collect();
    wait_for("an answer to every query", || {
        happen(&daemon);
        let unanswered: Vec<String> = asked
            .iter()
            .filter_map(|query| prometheus.ask(query).err())
            .collect();
        match unanswered.is_empty() {
            true => Ok(()),
            false => Err(unanswered.join("\n")),
        }
    });
    for query in asked {
        println!("{query}\n    {:?}", prometheus.ask(query));
    }
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let daemon = start(free_port());
    daemon.kill_child("web");
    daemon.wait_for_successes("web", 1);
    happen(&daemon);
    let (status, text) = daemon.get("/metrics");
    assert_eq!(status, 200);
    assert!(
        text.contains("recovery_operations_completed_success_total{"),
        "{text}"
    );
    let mut promtool = Command::new(packages().program("promtool"))
        .env("LD_LIBRARY_PATH", packages().libraries())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "{}: {said}",
        output.status
    );
}

/// Ends well, or is told with what it says.
fn promtool(command: [&str; 2], file: &Path) -> Result<(), String> {
    let output = Command::new(packages().program("promtool"))
        .env("LD_LIBRARY_PATH", packages().libraries())
        .args(command)
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&said).into_owned()),
    }
}

/// The alert rules that come with the program.
fn rules() -> String {
    fs::read_to_string(repository().join(RULES_FILE)).unwrap()
}

/// What stands behind a key in each line that has it.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml.lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix(key)).collect()
}

#[test]
fn each_alert_rule_is_seen_to_fire_and_to_be_silent() {
    let cases = repository().join("tests/fixtures/monitoring/mainstay.rules.test.yml");
    promtool(["check", "rules"], &repository().join(RULES_FILE)).unwrap();
    promtool(["test", "rules"], &cases).unwrap();
    let cases = fs::read_to_string(&cases).unwrap();
    let rules = rules();
    let alerts = values(&rules, "- alert: ");
    assert_eq!(alerts.len(), 4);
    for alert in alerts {
        let about = format!("alertname: {alert}\n");
        let looks = cases.split("- eval_time: ").skip(1);
        let looks = looks.filter(|look| look.contains(&about));
        let (fires, silent): (Vec<&str>, Vec<&str>) =
            looks.partition(|look| look.contains("exp_labels:"));
        assert!(!fires.is_empty() && !silent.is_empty(), "{alert}");
    }
    // A rule that says something else is found.
    let directory = tempfile::tempdir().unwrap();
    let (file, about) = (
        directory.path().join("rules.yml"),
        directory.path().join("rules.test.yml"),
    );
    let there = cases.replace("../../../docs/monitoring/mainstay.rules.yml", "rules.yml");
    fs::write(&about, there).unwrap();
    for (says, instead) in [
        (" < 0.95", " < 0.4"),
        (" < 0.95", " < 0.999"),
        (
            "created_failed_total[2h])) > 0",
            "created_failed_total[2h])) > 1000",
        ),
        (
            "created_failed_total[2h])) > 0",
            "created_failed_total[2h])) >= 0",
        ),
        (
            "cleaned_failed_total[1d])) > 0",
            "cleaned_failed_total[1d])) > 1000",
        ),
        (
            "cleaned_failed_total[1d])) > 0",
            "cleaned_failed_total[1d])) >= 0",
        ),
        (" > 100000000", " > 300000000"),
        (" > 100000000", " > 10000000"),
    ] {
        assert!(rules.contains(says), "{says}");
        fs::write(&file, rules.replace(says, instead)).unwrap();
        assert!(promtool(["test", "rules"], &about).is_err(), "{instead}");
    }
}
