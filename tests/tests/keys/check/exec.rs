//! Checks of kind `exec`: what programs say of a target.

use super::{case, judge, judge_with};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{Daemon, wait_for};
use std::fs;

fn exec(run: &str, more: &str) -> String {
    format!("kind = \"exec\"\nrun = {run}\n{more}")
}

fn shell(script: &str, more: &str) -> String {
    exec(&format!("[\"sh\", \"-c\", '''{script}''']"), more)
}

/// Acts: `target.check(exec)`, `target.check(exec).run`, `target.check(exec).cwd`,
/// Acts: `target.check(exec).degraded_exit`, `target.check.timeout`
#[test]
fn a_program_is_judged_by_its_exit_and_ended_at_its_timeout() {
    let (here, exit) = (r#"["test", "-e", "here"]"#, r#"["sh", "-c", "exit 3"]"#);
    let sleep = r#"["sleep", "1.5"]"#;
    let cases = [
        case(exec(here, ""), "failed", "code 1"),
        case(exec(here, "cwd = \"inner\""), "healthy", ""),
        case(exec(r#"["echo", "*", "&&", "false"]"#, ""), "healthy", ""),
        case(exec(exit, ""), "failed", "code 3"),
        case(exec(exit, "degraded_exit = 3"), "degraded", ""),
        case(exec(exit, "degraded_exit = 4"), "failed", "code 3"),
        case(exec(sleep, "timeout = \"50ms\""), "failed", "within 50 ms"),
        case(exec(sleep, "timeout = \"1m\""), "healthy", ""),
    ];
    let mut daemon = Daemon::prepare("");
    fs::create_dir(daemon.path("inner")).unwrap();
    fs::write(daemon.path("inner/here"), "").unwrap();
    judge(&mut daemon, &cases);
}

/// Acts: `target.check(exec).env`
#[test]
fn a_program_gets_its_own_variables_with_secrets_in_their_places_and_prints_none() {
    let secrets = "[secrets]\npin = { env = \"PIN_OF_THE_DAEMON\" }\n";
    let env = "env = { WORD = \"is ${secret:pin}!\" }";
    let test = |word: &str| format!("echo $WORD; test \"$WORD\" = \"{word}\"");
    let cases = [
        case(shell(&test("is 2718281828!"), env), "healthy", ""),
        case(shell(&test("is 31415!"), env), "failed", "secret:pin"),
        // Only where the key allows it, and the variable of the secret itself is inherited by nobody.
        case(
            shell("test -z \"$WORD$PIN_OF_THE_DAEMON\"", ""),
            "healthy",
            "",
        ),
    ];
    let mut daemon = Daemon::prepare("");
    daemon.set_env("PIN_OF_THE_DAEMON", "2718281828");
    judge_with(&mut daemon, secrets, &cases);
    let incidents = daemon.json(&["incidents"]).to_string();
    assert!(!incidents.contains("2718281828"), "{incidents}");
}

/// Acts: `target.check(exec).user`
#[test]
fn a_program_runs_as_the_user_of_its_check_where_the_daemon_is_root() {
    let is_nobody = "test \"$(id -un) $USER\" = \"nobody nobody\"";
    let other = shell(is_nobody, "cwd = \"/\"\nuser = \"nobody\"");
    if rustix::process::geteuid().is_root() {
        let own = case(shell(is_nobody, "cwd = \"/\""), "failed", "code 1");
        judge(&mut Daemon::prepare(""), &[case(other, "healthy", ""), own]);
        return;
    }
    let target =
        format!("[[target]]\nname = \"t\"\n[[target.check]]\nfailure = \"seen\"\n{other}\n");
    let daemon = Daemon::start(&format!("{HOST}{target}"), &[]);
    wait_for("the reason why it cannot look", || {
        let log = daemon.log();
        log.contains("as the user `nobody`")
            .then_some(())
            .ok_or(log)
    });
    let status = daemon.json(&["status"]);
    assert_eq!(
        row_of(&status, "t")["health"],
        "unknown",
        "that says nothing"
    );
}

/// Acts: `target.check(exec).output_contains`, `target.check(exec).degraded_output`
#[test]
fn a_program_is_judged_by_what_it_prints_too() {
    let wants = "output_contains = \"PONG\"";
    let full = "degraded_output = \"too many clients\"";
    let refuse = "echo FATAL: sorry, too many clients already >&2; exit 2";
    let cases = [
        case(shell("echo PONG", wants), "healthy", ""),
        case(
            shell("echo LOADING", wants),
            "failed",
            "does not hold `PONG`",
        ),
        case(shell("echo PONG; exit 1", wants), "failed", "code 1"),
        case(shell(refuse, ""), "failed", "code 2"),
        case(shell(refuse, full), "degraded", ""),
        case(
            shell("echo could not connect; exit 2", full),
            "failed",
            "code 2",
        ),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}

/// Who restarts a service that is full cuts off all whom it serves.
#[test]
fn a_service_that_takes_no_one_more_is_degraded_and_its_handler_stays_away() {
    let config = r#"
[[target]]
name = "pg"

[[target.check]]
kind = "exec"
run = ["sh", "-c", "cat answer >&2; exit 2"]
degraded_output = "too many clients"
every = "1s"
fail_after = 1
failure = "postgres-down"
"#;
    let answer = |daemon: &Daemon, text: &str| {
        fs::write(daemon.path("next"), text).unwrap();
        fs::rename(daemon.path("next"), daemon.path("answer")).unwrap();
    };
    let mut daemon = Daemon::prepare(&format!("{HOST}{config}"));
    answer(&daemon, "FATAL:  sorry, too many clients already\n");
    daemon.run();
    daemon.wait_for_status("a warning", |status| {
        row_of(status, "pg")["health"] == "degraded"
    });
    let degraded = daemon.wait_for_event("a warning", |event| {
        event["target"] == "pg" && event["kind"] == "check.degraded"
    });
    let message = degraded["message"].as_str().unwrap();
    assert!(message.contains("too many clients already"), "{message}");
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    answer(&daemon, "connection refused\n");
    daemon.wait_for_status("a failure", |status| {
        row_of(status, "pg")["health"] == "failed"
    });
}
