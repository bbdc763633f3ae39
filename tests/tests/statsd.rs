//! What a StatsD gets of a running daemon, over real datagrams: the same counts that `/metrics` has, and each sample.

use mainstay_tests::{Daemon, HOST};
use std::{collections::BTreeMap, fs, io::ErrorKind, net::UdpSocket};

const JOB: &str = r#"
[[job]]
name = "data"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#;

/// What came to a socket: for each name and kind its values.
fn told(socket: &UdpSocket) -> BTreeMap<(String, String), Vec<f64>> {
    socket.set_nonblocking(true).unwrap();
    let mut told: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    let mut bytes = [0; 65_536];
    loop {
        let length = match socket.recv(&mut bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return told,
            Err(error) => panic!("{error}"),
        };
        assert!(length <= 1_432, "a datagram of {length} bytes");
        for line in std::str::from_utf8(&bytes[..length]).unwrap().lines() {
            let mut parts = line.split('|');
            let (name, value) = parts.next().unwrap().rsplit_once(':').unwrap();
            let kind = parts.next().unwrap();
            let tags: Vec<&str> = parts.collect();
            let name = [name, &tags.concat()].concat();
            let values = told.entry((name, kind.to_owned())).or_default();
            values.push(value.parse().unwrap());
        }
    }
}

/// Two backups, and all that was told of them when the daemon has stopped.
fn told_of_two_backups(keys: &str) -> BTreeMap<(String, String), Vec<f64>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let statsd = format!("\n[telemetry.statsd]\naddress = \"{address}\"\n{keys}\n");
    let mut daemon = Daemon::prepare(&[HOST, JOB, &statsd].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/document"), "x".repeat(5_000)).unwrap();
    daemon.run();
    // The first is taken by itself, the other one now.
    daemon.wait_for_first_backup();
    daemon.json(&["backup", "create", "data"]);
    let counted = "backup_operations_created_success_total{backup_job=\"data\"} 2";
    mainstay_tests::wait_for(counted, || {
        let text = daemon.metrics();
        match text.lines().any(|line| line == counted) {
            true => Ok(()),
            false => Err(text),
        }
    });
    assert!(daemon.stop());
    told(&socket)
}

/// Acts: `telemetry.statsd.address`, `telemetry.statsd.prefix`
#[test]
fn a_plain_statsd_gets_each_growth_and_each_sample_under_the_names_of_the_seed() {
    let told = told_of_two_backups("prefix = \"shop\"");
    let of = |name: &str, kind: &str| -> Vec<f64> {
        let key = (name.to_owned(), kind.to_owned());
        told.get(&key).cloned().unwrap_or_default()
    };
    for counted in ["created_total", "created_success"] {
        let name = format!("shop.backup.operations.{counted}.data");
        assert_eq!(of(&name, "c").iter().sum::<f64>(), 2.0, "{told:?}");
    }
    let failed = of("shop.backup.operations.created_failed.data", "c");
    assert!(failed.is_empty(), "{told:?}");
    let times = of("shop.backup.operations.duration_seconds.data", "ms");
    assert_eq!(times.len(), 2, "{told:?}");
    let sizes = of("shop.backup.operations.size_bytes_total.data", "h");
    let are_whole = sizes.len() == 2 && sizes.iter().all(|size| *size >= 5_000.0);
    assert!(are_whole, "{told:?}");
    assert!(of("shop.health_score", "g").len() >= 2, "{told:?}");
}

/// Acts: `telemetry.statsd.flavour`
#[test]
fn a_statsd_of_datadog_gets_labels_as_tags() {
    let told = told_of_two_backups("flavour = \"dogstatsd\"");
    let name = "mainstay.backup.operations.created_success#backup_job:data";
    let key = (name.to_owned(), "c".to_owned());
    assert_eq!(told[&key].iter().sum::<f64>(), 2.0, "{told:?}");
    let name = "mainstay.backup.operations.duration_seconds#backup_job:data";
    let key = (name.to_owned(), "h".to_owned());
    assert_eq!(told[&key].len(), 2, "{told:?}");
}
