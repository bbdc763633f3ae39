//! Redis as a source: `kind = "redis"`.

use super::{prepare, verified};
use crate::keys::check::redis::{PIN, Redis};
use mainstay_tests::DEADLINE;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

/// All that a Redis answers to what a backup holds.
fn put_back(redis: &Redis, commands: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(format!("AUTH {PIN}\r\n").as_bytes())
        .unwrap();
    stream.write_all(commands).unwrap();
    stream.write_all(b"QUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Acts: `job.source(redis)`, `job.source(redis).address`, `job.source(redis).path`, `job.source(redis).user`
/// Acts: `job.source(redis).password`, `job.source(redis).database`, `job.source(redis).keys`, `job.source(redis).key`
/// Acts: `job.source(redis).timeout`
#[test]
fn what_a_redis_holds_is_backed_up_by_patterns_and_put_back_by_its_own_commands() {
    let redis = Redis::start(&["--requirepass", PIN]);
    for (command, says) in [
        ("SET session:1 one EX 5000", "+OK\r\n+OK"),
        ("HSET session:2 field two", ":1"),
        ("SETRANGE cart:3 3000000 three", ":3000005"),
        ("SET other 4", "+OK\r\n+OK"),
    ] {
        redis.wait_until(command, says);
    }
    redis.wait_until("SELECT 1\r\nSET apart 5", "+OK\r\n+OK\r\n+OK");
    // Whoever connects waits for an answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let job = |name: &str, source: String| {
        format!(
            "\n[[job]]\nname = \"{name}\"\nencryption = \"none\"\n\
             source = [{{ kind = \"redis\", key = \"dumps/redis.resp\", {source} }}]\n"
        )
    };
    let address = format!("address = \"127.0.0.1:{}\"", redis.port);
    let socket = redis.directory.path().join("redis.sock");
    let jobs = [
        "\n[secrets]\npin = { env = \"PIN_OF_REDIS\" }\n".to_owned(),
        job(
            "carts",
            format!("{address}, password = \"pin\", keys = [\"session:*\", \"cart:[0-9]\"]"),
        ),
        job(
            "apart",
            format!(
                "path = \"{}\", user = \"default\", password = \"pin\", database = 1",
                socket.display()
            ),
        ),
        job("locked", address.clone()),
        job(
            "late",
            format!("address = \"{silent}\", timeout = \"250ms\""),
        ),
    ];
    let mut daemon = prepare(&jobs.concat());
    daemon.set_env("PIN_OF_REDIS", PIN);
    daemon.run();
    let dumped = |job: &str| {
        daemon.json(&["backup", "create", job]);
        let newest = verified(&daemon, job)[0].clone();
        let id = newest["id"].as_str().unwrap().to_owned();
        let output = daemon.cli(&["backup", "dump", &id, "dumps/redis.resp"]);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let (carts, apart) = (dumped("carts"), dumped("apart"));
    redis.wait_until("FLUSHALL", "+OK\r\n+OK");

    // Twice, for what is there goes.
    for _ in 0..2 {
        let answer = put_back(&redis, &carts);
        assert_eq!(answer.matches("+OK").count(), 5, "{answer}");
        assert!(!answer.contains('-'), "{answer}");
    }
    for (command, says) in [
        ("GET session:1", "one"),
        ("HGET session:2 field", "two"),
        ("STRLEN cart:3", ":3000005"),
        ("TTL session:2", ":-1"),
        ("EXISTS other", ":0"),
    ] {
        let answer = redis.ask(command);
        assert!(answer.contains(says), "{command}: {answer}");
    }
    let left = redis.ask("TTL session:1");
    assert!(left.contains(":4") || left.contains(":5000"), "{left}");
    let selected = [b"SELECT 1\r\n".as_slice(), &apart].concat();
    let answer = put_back(&redis, &selected);
    assert_eq!(answer.matches("+OK").count(), 4, "{answer}");
    let answer = redis.ask("SELECT 1\r\nGET apart");
    assert!(answer.contains("$1\r\n5"), "{answer}");

    for (job, says) in [("locked", "NOAUTH"), ("late", "was not read within 250ms")] {
        let taken = daemon.cli(&["backup", "create", job]);
        let why = String::from_utf8_lossy(&taken.stderr);
        assert!(
            !taken.status.success() && why.contains(says),
            "{job}: {why}"
        );
        assert!(verified(&daemon, job).is_empty(), "{job}");
    }
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains(PIN), "{told}");
}
