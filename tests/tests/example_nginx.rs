//! `examples/nginx`, broken as reality breaks it.

use mainstay_tests::{
    DEADLINE, Example, Stranger, actions, note_recovery, now, repository, wait_for,
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

/// With looks that come sooner, where the test breaks it.
fn example() -> Example {
    Example::prepare("nginx", 8088)
        .fill(
            "every = \"5s\"\ntimeout = \"2s\"",
            "every = \"1s\"\ntimeout = \"1s\"",
        )
        .fill("grace = \"10s\"", "grace = \"1s\"")
        .fill(
            "validation_timeout = \"20s\"",
            "validation_timeout = \"5s\"",
        )
}

#[test]
fn the_commands_of_its_readme_run() {
    let example = example().started();
    let printed = example.walk();
    assert!(printed.contains("service-down"), "{printed}");
}

#[test]
fn it_serves_again_after_a_kill_and_after_a_hang() {
    let example = example().started();
    let before = example.daemon.pids()["nginx"];
    example.daemon.kill_child("nginx");
    let killed = example.daemon.wait_for_successes("nginx", 1);
    assert!(
        actions(&killed[0]).contains("restarted nginx"),
        "{killed:?}"
    );
    let told = example.wait_for_alert("incident.opened", "service-down");
    assert!(told.contains("start worker process"), "{told}");
    example.wait_until_healthy();
    let second = example.daemon.pids()["nginx"];
    assert_ne!(second, before);
    example.hang();
    example.daemon.wait_for_successes("nginx", 2);
    example.wait_until_healthy();
    assert_ne!(example.daemon.pids()["nginx"], second);
}

#[test]
fn who_is_served_while_it_is_restarted_gets_the_rest() {
    // More than is on its way at once.
    const LENGTH: usize = 64 << 20;
    let example = example()
        .fill("grace = \"1s\"", "grace = \"50s\"")
        .started();
    let large = fs::File::create(example.daemon.path("site/large")).unwrap();
    large.set_len(LENGTH as u64).unwrap();
    let before = example.daemon.pids()["nginx"];
    let mut visitor = TcpStream::connect(("127.0.0.1", example.port)).unwrap();
    visitor.set_read_timeout(Some(DEADLINE)).unwrap();
    visitor.write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = vec![0; 4096];
    visitor.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));

    let restarted = example.daemon.cli(&["restart", "nginx"]);
    assert!(restarted.status.success(), "{restarted:?}");
    wait_for("it to let nobody else in", || {
        match TcpStream::connect(("127.0.0.1", example.port)) {
            Err(_) => Ok(()),
            Ok(_) => Err("it lets them in".to_owned()),
        }
    });
    visitor.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n");
    assert_eq!(answer.len() - head.unwrap() - 4, LENGTH);

    wait_for("another one to run", || {
        match example.daemon.pids().get("nginx") {
            Some(pid) if *pid != before => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
    example.wait_until_healthy();
}

#[test]
fn a_page_that_is_cut_off_is_put_back_out_of_the_backup() {
    let example = example().started();
    example.daemon.json(&["backup", "create", "site"]);
    let page = example.daemon.path("site/index.html");
    let whole = fs::read_to_string(repository().join("examples/nginx/site/index.html")).unwrap();
    let caused = now();
    fs::write(&page, &whole[..20]).unwrap();
    let operation = example.daemon.wait_for_operation("nginx", "succeeded");
    assert_eq!(operation["handler"], "corruption-restore", "{operation}");
    assert_eq!(fs::read_to_string(&page).unwrap(), whole);
    note_recovery(&operation, "data-corruption", caused, "the whole page");
    example.wait_until_healthy();
}

#[test]
fn a_config_that_it_refuses_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let config = example.daemon.path("nginx.conf");
    let good = fs::read_to_string(&config).unwrap();
    example.break_while_dead(|| fs::write(&config, format!("{good}bogus on;\n")).unwrap());
    example.escalates("service-down", "unknown directive \"bogus\"", || {
        fs::write(&config, &good).unwrap();
    });
}

#[test]
fn a_port_that_is_taken_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let stranger = example.break_while_dead(|| Stranger::take(example.port));
    example.escalates("service-down", "Address already in use", || drop(stranger));
}

#[test]
fn a_page_that_it_may_not_read_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let page = example.daemon.path("site/index.html");
    let set = |mode| fs::set_permissions(&page, fs::Permissions::from_mode(mode)).unwrap();
    set(0);
    example.escalates("service-down", "Permission denied", || set(0o644));
}

#[test]
fn a_full_disk_of_logs_is_freed_of_old_ones_while_it_serves() {
    let mut example = example();
    if let Err(why) = example.mount("logs", "16m") {
        println!("SKIPPED, nothing was tested: {why}");
        return;
    }
    example.start();
    let before = example.daemon.pids()["nginx"];
    let old = example.daemon.path("logs/access.log.9.gz");
    let caused = now();
    example.disk().fill("access.log.9.gz");
    let week = Duration::from_secs(8 * 24 * 3600);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - week).unwrap();
    // A deleted file takes its room for as long as somebody has it open.
    drop(file);
    let operation = example.daemon.wait_for_operation("nginx", "succeeded");
    assert_eq!(operation["handler"], "disk-cleanup", "{operation}");
    assert!(!old.exists());
    assert!(example.daemon.path("logs/access.log").exists());
    note_recovery(&operation, "disk-full", caused, "the log of today");
    example.wait_until_healthy();
    assert_eq!(example.daemon.pids()["nginx"], before);
}
