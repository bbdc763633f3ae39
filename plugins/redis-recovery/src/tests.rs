//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

const SETTINGS: &str = r#"{"rows": "hot-rows", "write": "write-hot"}"#;
const ROWS: &str =
    "{\"key\": \"price\", \"data\": \"{\\\"btc\\\": 1}\"}\n{\"key\": \"risk\", \"data\": \"2\"}\n";
const BATCH: &str = r#"[["price","{\"btc\": 1}"],["risk","2"]]"#;

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    host
}

fn is_silent(host: &mut ScriptedHost) {
    host.on_check("cache", Ok(vec![evidence("redis", "connection refused")]));
}

fn prints(host: &mut ScriptedHost, command: &str, exit_code: i32, stdout: &str) {
    let output = Output {
        exit_code,
        stdout: stdout.into(),
        stderr: Vec::new(),
        truncated: false,
    };
    host.on_command(command, Ok(output));
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    RedisRecovery.recover(&operation("cache", "redis-down"), host)
}

fn permanent(host: &mut ScriptedHost) -> String {
    match run(host).unwrap_err() {
        RecoveryFailure::Permanent(why) => why,
        other => panic!("not permanent: {other:?}"),
    }
}

fn retryable(host: &mut ScriptedHost) -> String {
    match run(host).unwrap_err() {
        RecoveryFailure::Retryable(why) => why,
        other => panic!("not retryable: {other:?}"),
    }
}

fn check() -> Effect {
    Effect::Check("cache".into())
}

fn restart() -> Effect {
    Effect::Restart("cache".into())
}

fn read(seconds: &str, most: &str) -> Effect {
    Effect::command("hot-rows", &[("seconds", seconds), ("most", most)])
}

fn write(batch: &str) -> Effect {
    Effect::command("write-hot", &[("rows", batch)])
}

#[test]
fn it_is_restarted_pinged_and_warmed_from_the_rows_of_the_last_five_minutes() {
    let mut host = host();
    is_silent(&mut host);
    is_silent(&mut host);
    prints(&mut host, "hot-rows", 0, ROWS);
    prints(&mut host, "write-hot", 0, "2\n");
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "restarted cache",
            "pinged cache: it answers",
            "read 2 rows of the last 302 s",
            "wrote them in 1 batch: 2 keys are there"
        ]
    );
    assert_eq!(report.data_loss, None);
    assert_eq!(
        host.effects(),
        [
            check(),
            restart(),
            check(),
            Effect::Sleep(PAUSE),
            check(),
            read("302", "1000"),
            write(BATCH)
        ]
    );
}

#[test]
fn one_that_answers_again_is_warmed_without_a_restart() {
    let mut host = host();
    prints(&mut host, "hot-rows", 0, ROWS);
    prints(&mut host, "write-hot", 0, "2");
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions[0], "pinged cache: it answers");
    assert_eq!(host.effects(), [check(), read("301", "1000"), write(BATCH)]);
}

#[test]
fn one_that_does_not_answer_is_not_called_recovered() {
    let mut host = host();
    host.set_settings(r#"{"rows": "hot-rows", "write": "write-hot", "wait": "1s"}"#);
    for _ in 0..10 {
        is_silent(&mut host);
    }
    assert_eq!(
        retryable(&mut host),
        "restarted cache, and its checks did not pass within 1s: redis: connection refused"
    );
    let commands = host.effects().iter();
    let mut commands = commands.filter(|effect| effect.interface() == "commands");
    assert_eq!(commands.next(), None);
}

#[test]
fn where_nobody_can_look_nothing_is_done_and_after_a_restart_it_is_waited_for() {
    let unseen = || EffectError::Unavailable("its process is only being started".into());
    let mut host = host();
    host.on_check("cache", Err(unseen()));
    assert_eq!(retryable(&mut host), "its process is only being started");
    assert_eq!(host.effects(), [check()]);
    is_silent(&mut host);
    host.on_check("cache", Err(unseen()));
    prints(&mut host, "hot-rows", 0, ROWS);
    prints(&mut host, "write-hot", 0, "2");
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions[1], "pinged cache: it answers");
}

#[test]
fn no_row_is_a_failure() {
    let mut host = host();
    prints(&mut host, "hot-rows", 0, "\n");
    assert_eq!(
        permanent(&mut host),
        "cache answers and stays cold: `hot-rows` gave no row of the last 301 s"
    );
    assert_eq!(host.effects().len(), 2, "nothing is written");
    prints(
        &mut host,
        "hot-rows",
        0,
        "{\"key\": \"a\", \"data\": \"no json\"}",
    );
    assert!(permanent(&mut host).ends_with("; 1 left out that are no JSON"));
}

#[test]
fn rows_that_are_no_json_are_left_out() {
    let mut host = host();
    let printed = format!("not a row\n{ROWS}");
    prints(&mut host, "hot-rows", 0, &printed);
    prints(&mut host, "write-hot", 0, "2");
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "read 2 rows of the last 301 s; 1 left out that are no JSON"
    );
    assert_eq!(host.effects()[2], write(BATCH));
}

#[test]
fn rows_that_the_host_cut_are_told() {
    let mut host = host();
    let cut = Output {
        exit_code: 0,
        stdout: ROWS.into(),
        stderr: Vec::new(),
        truncated: true,
    };
    host.on_command("hot-rows", Ok(cut));
    prints(&mut host, "write-hot", 0, "2");
    let report = run(&mut host).unwrap();
    assert!(report.actions[1].contains("there were more"), "{report:?}");
}

#[test]
fn a_store_that_cannot_be_read_is_asked_again() {
    let mut host = host();
    prints(&mut host, "hot-rows", 2, "no route to host");
    assert_eq!(
        retryable(&mut host),
        "`hot-rows` ended with exit 2: no route to host"
    );
}

#[test]
fn what_is_not_there_after_the_write_was_not_written() {
    let mut host = host();
    for (exit_code, printed, expected) in [
        (1, "OOM", "`write-hot` ended with exit 1: OOM"),
        (
            0,
            "(error) NOAUTH",
            "`write-hot` has to print how many keys are there, and ended with exit 0: (error) NOAUTH",
        ),
        (
            0,
            "0",
            "cache stays cold: none of 2 rows is there after `write-hot`",
        ),
    ] {
        prints(&mut host, "hot-rows", 0, ROWS);
        prints(&mut host, "write-hot", exit_code, printed);
        assert_eq!(retryable(&mut host), expected);
    }
}

#[test]
fn how_old_and_how_many_the_rows_may_be_can_be_set() {
    let mut host = host();
    host.set_settings(r#"{"rows": "hot-rows", "write": "write-hot", "within": "1m", "most": 1}"#);
    prints(&mut host, "hot-rows", 0, ROWS);
    prints(&mut host, "write-hot", 0, "1");
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[1..],
        [
            "read 1 row of the last 61 s",
            "wrote them in 1 batch: 1 key is there"
        ]
    );
    assert_eq!(host.effects()[1], read("61", "1"));
}

#[test]
fn a_dry_run_shows_every_step_and_waits_for_nothing() {
    let mut host = host();
    is_silent(&mut host);
    let mut op = operation("cache", "redis-down");
    op.dry_run = true;
    let report = RedisRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "would restart cache, which does not answer, and wait until it does",
            "would read at most 1000 rows of the last 301 s by `hot-rows`",
            "would write them by `write-hot`"
        ]
    );
    assert_eq!(
        host.effects(),
        [check(), restart(), read("301", "1000"), write("[]")]
    );
}

#[test]
fn what_is_not_granted_is_permanent() {
    for interface in ["targets", "commands"] {
        let mut host = host();
        host.deny(interface);
        assert!(permanent(&mut host).contains("not granted"), "{interface}");
    }
}

#[test]
fn settings_that_say_too_little_or_something_unknown_are_refused() {
    assert!(RedisRecovery::configure(SETTINGS).is_ok());
    for (settings, expected) in [
        ("{}", "rows"),
        (r#"{"rows": "a"}"#, "write"),
        (r#"{"rows": "a", "write": "b", "most": 0}"#, "most"),
        (r#"{"rows": "a", "write": "b", "ping": "c"}"#, "ping"),
    ] {
        let error = RedisRecovery::configure(settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
