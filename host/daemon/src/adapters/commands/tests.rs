//! Real programs.

use super::*;
use crate::adapters::environment::{OF_THE_TESTS, without_that_of_the_tests};
use crate::ports::SecretError;
use mainstay_domain::{blob::Blob, name::SecretName};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    time::Instant,
};

/// `${secret:token}` is `hunter22`.
struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        match name.as_str() {
            "token" => Ok("hunter22".to_owned()),
            _ => Err(SecretError::Unknown(name.clone())),
        }
    }

    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        String::from_utf8_lossy(&bytes)
            .replace("hunter22", "[secret:token]")
            .into_bytes()
    }
}

fn outputs(state_dir: &std::path::Path) -> Arc<Outputs> {
    Arc::new(Outputs::new(state_dir))
}

fn spec(run: &[&str], placeholders: &[&str]) -> CommandSpec {
    CommandSpec {
        run: run.iter().map(ToString::to_string).collect(),
        placeholders: placeholders.iter().map(ToString::to_string).collect(),
        cwd: "/".into(),
        env: BTreeMap::new(),
        user: None,
        timeout: Duration::from_secs(20),
        idempotent: false,
    }
}

fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

async fn run(
    spec: CommandSpec,
    pairs: &[(&str, &str)],
    max_output: u64,
) -> Result<CommandOutput, EffectError> {
    run_as_effect("op-1/2", spec, pairs, max_output).await
}

async fn run_as_effect(
    key: &str,
    spec: CommandSpec,
    pairs: &[(&str, &str)],
    max_output: u64,
) -> Result<CommandOutput, EffectError> {
    let name = CommandName::parse("tool").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        Arc::default(),
        outputs(directory.path()),
    );
    commands
        .run(name, spec, values(pairs), key.to_owned(), max_output)
        .await
}

/// A foreign service.
fn of() -> TargetName {
    TargetName::parse("db").unwrap()
}

fn text(blob: &Blob) -> &str {
    std::str::from_utf8(&blob.0).unwrap()
}

#[tokio::test]
async fn a_value_stays_within_its_argument() {
    let spec = spec(&["printf", "<%s>", "a={x}", "{y}{x}", "{z}"], &["x", "y"]);
    let nasty = "1 2; $(id) `id` \"'\n{y}";
    let output = run(spec, &[("x", nasty), ("y", "")], 1_000).await.unwrap();
    assert_eq!(text(&output.stdout), format!("<a={nasty}><{nasty}><{{z}}>"));
    assert_eq!((output.exit_code, output.truncated), (0, false));
}

/// An argument list is no template: not the operator's part of it, and not what a guest fills in.
#[tokio::test]
async fn an_argument_that_names_a_secret_is_text() {
    let spec = spec(
        &[
            "printf",
            "<%s>",
            "{x}",
            "{y}token}",
            "${secret:token}",
            "{z}",
        ],
        &["x", "y", "z"],
    );
    // With what the operator wrote behind it, the second is a whole placeholder.
    let pairs = [
        ("x", "${secret:token}"),
        ("y", "${secret:"),
        ("z", "${secret:nosuch}"),
    ];
    let output = run(spec, &pairs, 1_000).await.unwrap();
    assert_eq!(
        text(&output.stdout),
        "<${secret:token}><${secret:token}><${secret:token}><${secret:nosuch}>"
    );
}

#[tokio::test]
async fn what_the_operator_did_not_declare_is_refused() {
    for (run_line, pairs, denied, words) in [
        (
            ["true", "{x}"],
            vec![("y", "1")],
            false,
            "no placeholder `y`; declared are: x",
        ),
        (
            ["true", "{x}"],
            vec![],
            false,
            "needs a value for its placeholder `x`",
        ),
        (["true", "{x}"], vec![("x", "a\0b")], true, "NUL"),
        (
            ["true", "{x}"],
            vec![("x", "1"), ("x", "2")],
            false,
            "given twice",
        ),
        (
            ["true", "{x}"],
            vec![("x", "--help")],
            true,
            "would be read as an option",
        ),
        (
            ["{x}", "1"],
            vec![("x", "true")],
            true,
            "placeholder in its program",
        ),
    ] {
        let error = run(spec(&run_line, &["x"]), &pairs, 1_000)
            .await
            .unwrap_err();
        assert_eq!(matches!(error, EffectError::Denied(_)), denied, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let dashed = run(
        spec(&["printf", "%s", "--", "{x}"], &["x"]),
        &[("x", "-n")],
        1_000,
    )
    .await;
    assert_eq!(text(&dashed.unwrap().stdout), "---n");
}

#[tokio::test]
async fn the_environment_holds_what_the_operator_named_and_the_key() {
    let mut spec = spec(&["/usr/bin/env"], &[]);
    spec.env
        .insert("TOKEN".to_owned(), "x${secret:token}".to_owned());
    let output = run(spec.clone(), &[], 10_000).await.unwrap();
    let mut names: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "MAINSTAY_EFFECT",
            "MAINSTAY_IDEMPOTENCY_KEY",
            "MAINSTAY_PROGRAM",
            "PATH",
            "TOKEN"
        ]
    );
    assert!(text(&output.stdout).contains("MAINSTAY_IDEMPOTENCY_KEY=op-1/2\n"));
    assert!(text(&output.stdout).contains("TOKEN=x[secret:token]\n"));
    spec.env
        .insert("OTHER".to_owned(), "${secret:none}".to_owned());
    let error = run(spec, &[], 100).await.unwrap_err();
    assert!(
        matches!(&error, EffectError::Failed(why) if why.contains("OTHER")),
        "{error}"
    );
}

#[tokio::test]
async fn the_command_of_a_foreign_service_inherits_no_variable_of_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        without_that_of_the_tests(),
        outputs(directory.path()),
    );
    let (argv, timeout) = (vec!["env".to_owned()], Duration::from_secs(20));
    let run = commands.run_foreign(of(), argv, "/".into(), timeout, RunAs::default());
    let output = run.await.unwrap();
    let printed = text(&output.stdout);
    assert!(printed.contains("PATH="), "{printed}");
    assert!(!printed.contains(OF_THE_TESTS), "{printed}");
}

#[tokio::test]
async fn the_command_of_a_foreign_service_gets_its_variables_and_runs_as_its_user() {
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        Arc::default(),
        outputs(directory.path()),
    );
    let run = |run_as| {
        let argv = ["sh", "-c", "echo \"$TOKEN\" $(id -un) $USER"].map(str::to_owned);
        commands.run_foreign(
            of(),
            argv.into(),
            "/".into(),
            Duration::from_secs(20),
            run_as,
        )
    };
    let env = |value: &str| BTreeMap::from([("TOKEN".to_owned(), value.to_owned())]);
    let with_env = |value: &str| RunAs {
        env: env(value),
        user: None,
    };
    let output = run(with_env("is ${secret:token}")).await.unwrap();
    let printed = text(&output.stdout);
    assert!(printed.starts_with("is [secret:token] "), "{printed}");
    let error = run(with_env("${secret:none}")).await.unwrap_err();
    assert!(error.to_string().contains("TOKEN"), "{error}");

    let other = RunAs {
        user: Some("nobody".to_owned()),
        ..RunAs::default()
    };
    let run = run(other).await;
    if !rustix::process::geteuid().is_root() {
        let error = run.unwrap_err().to_string();
        assert!(error.contains("the user `nobody`"), "{error}");
        return;
    }
    assert_eq!(text(&run.unwrap().stdout).trim(), "nobody nobody");
}

#[tokio::test]
async fn output_is_bounded_and_the_program_still_ends() {
    let script = "yes | head -c 3000000; yes e | head -c 50 >&2; exit 3";
    let output = run(spec(&["sh", "-c", script], &[]), &[], 1_000)
        .await
        .unwrap();
    assert_eq!(output.exit_code, 3);
    assert_eq!(output.stdout.0.len(), 1_000);
    assert_eq!(output.stderr.0.len(), 50);
    assert!(output.truncated);
    let exact = run(spec(&["printf", "12345"], &[]), &[], 5).await.unwrap();
    assert_eq!((text(&exact.stdout), exact.truncated), ("12345", false));
}

#[tokio::test]
async fn a_secret_across_the_cut_is_not_shown_in_part() {
    let output = run(spec(&["printf", "abchunter22def"], &[]), &[], 6)
        .await
        .unwrap();
    assert_eq!(text(&output.stdout), "abc[se");
    assert!(output.truncated);
}

#[tokio::test]
async fn a_signal_is_128_and_its_number() {
    let output = run(spec(&["sh", "-c", "kill -TERM $$"], &[]), &[], 10)
        .await
        .unwrap();
    assert_eq!(output.exit_code, 143);
}

#[tokio::test]
async fn a_program_that_cannot_start_has_failed() {
    let missing = run(spec(&["/nonexistent/tool"], &[]), &[], 10)
        .await
        .unwrap_err();
    assert!(matches!(missing, EffectError::Failed(_)), "{missing}");
    let mut nowhere = spec(&["true"], &[]);
    nowhere.cwd = "/nonexistent".into();
    assert!(matches!(
        run(nowhere, &[], 10).await,
        Err(EffectError::Failed(_))
    ));
}

/// Waits until the process is gone, or a zombie that nobody has awaited.
async fn ends(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => return,
            Ok(stat) if stat.rsplit(") ").next().unwrap().starts_with('Z') => return,
            Ok(_) => assert!(Instant::now() < deadline, "{pid} lives"),
        }
        tokio::task::yield_now().await;
    }
}

/// A program that leaves a grandchild and tells its number.
fn family(directory: &tempfile::TempDir) -> (CommandSpec, PathBuf) {
    let file = directory.path().join("pid");
    let script = format!(
        "sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait",
        file.display()
    );
    (spec(&["sh", "-c", &script], &[]), file)
}

#[tokio::test]
async fn a_timeout_kills_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let (mut spec, file) = family(&directory);
    spec.timeout = Duration::from_millis(700);
    let error = run(spec, &[], 100).await.unwrap_err();
    assert!(
        matches!(&error, EffectError::TimedOut(why) if why.contains("700ms")),
        "{error}"
    );
    ends(std::fs::read_to_string(file).unwrap().trim()).await;
}

#[tokio::test]
async fn a_dropped_run_kills_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let (spec, file) = family(&directory);
    let running = tokio::spawn(async move { run(spec, &[], 100).await });
    let deadline = Instant::now() + Duration::from_secs(10);
    while !file.exists() {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    ends(std::fs::read_to_string(file).unwrap().trim()).await;
}

#[tokio::test]
async fn a_daemon_left_behind_does_not_hold_up_its_start_command() {
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        Arc::default(),
        outputs(directory.path()),
    );
    let argv = ["sh", "-c", "sleep 300 & echo $!"]
        .map(str::to_owned)
        .to_vec();
    let output = commands
        .run_foreign(
            of(),
            argv,
            "/".into(),
            Duration::from_secs(60),
            RunAs::default(),
        )
        .await
        .unwrap();
    let pid = text(&output.stdout).trim().to_owned();
    assert!(
        std::fs::metadata(format!("/proc/{pid}")).is_ok(),
        "the daemon should live"
    );
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_service_left_behind_goes_on_writing() {
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        Arc::default(),
        outputs(directory.path()),
    );
    let count = directory.path().join("count");
    let script = format!(
        "(n=0; while :; do n=$((n+1)); echo line $n; echo line $n >&2; echo $n > {0}.new; mv {0}.new {0}; done) & echo $!",
        count.display()
    );
    let argv = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let run = commands.run_foreign(
        of(),
        argv,
        "/".into(),
        Duration::from_secs(60),
        RunAs::default(),
    );
    let output = run.await.unwrap();
    // The service may write before the shell does.
    let printed = text(&output.stdout);
    let pid = printed.lines().find_map(|line| line.parse().ok()).unwrap();
    // More than the pipe holds: somebody reads it.
    let deadline = Instant::now() + Duration::from_secs(60);
    let written = || {
        let count = std::fs::read_to_string(&count).unwrap_or_default();
        count.trim().parse().unwrap_or(0_u64)
    };
    while written() < 1_000 {
        assert!(Instant::now() < deadline, "it wrote {} lines", written());
        tokio::task::yield_now().await;
    }
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// What another daemon began is here what nobody's child began.
#[test]
fn of_a_foreign_service_a_command_that_still_runs_is_ended_and_the_service_lives_on() {
    let name = TargetName::parse(&format!("ended-{}", std::process::id())).unwrap();
    let mark = carriers::of_foreign(&name);
    let script = "setsid sh -c 'echo $$; exec sleep 300' & exec sleep 300";
    let mut command = Command::new("sh");
    command.args(["-c", script]).env(carriers::MARK, &mark);
    command
        .process_group(0)
        .stdout(std::process::Stdio::piped());
    let mut command = command.spawn().unwrap();
    let mut line = String::new();
    let mut printed = BufReader::new(command.stdout.take().unwrap());
    printed.read_line(&mut line).unwrap();
    let service = rustix::process::Pid::from_raw(line.trim().parse().unwrap()).unwrap();

    carriers::end_commands(&mark, std::process::id());
    assert!(command.try_wait().unwrap().is_none(), "it is this daemon's");
    carriers::end_commands(&mark, 0);
    assert_eq!(command.wait().unwrap().signal(), Some(9));
    // Its command has ended, so it is none that still runs.
    carriers::end_commands(&mark, 0);
    rustix::process::test_kill_process(service).unwrap();
    carriers::end(&mark);
    let gone = rustix::process::test_kill_process(service).is_err();
    assert!(gone || is_zombie(service), "all that carries the mark");
}

/// Whether it has ended, and nobody has asked for its status.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_timeout_ends_what_went_into_a_session_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!(
        "setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 300' & wait",
        file.display()
    );
    let mut spec = spec(&["sh", "-c", &script], &[]);
    spec.timeout = Duration::from_millis(700);
    let error = run(spec, &[], 100).await.unwrap_err();
    assert!(matches!(error, EffectError::TimedOut(_)), "{error}");
    ends(std::fs::read_to_string(file).unwrap().trim()).await;
}

#[tokio::test]
async fn a_command_whose_start_hangs_is_given_up_in_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let commands = LocalCommands::new(
        Arc::new(OneSecret),
        Arc::default(),
        outputs(directory.path()),
    );
    let release = commands.starts.all_hang();
    let (argv, timeout) = (vec!["true".to_owned()], Duration::from_millis(50));
    let run = commands.run_foreign(of(), argv, "/".into(), timeout, RunAs::default());
    let error = run.await.unwrap_err();
    assert!(
        matches!(&error, EffectError::TimedOut(why) if why.contains("`true` was not started within 50ms")),
        "{error}"
    );
    drop(release);
    let argv = vec!["true".to_owned()];
    let run = commands.run_foreign(
        of(),
        argv,
        "/".into(),
        Duration::from_secs(20),
        RunAs::default(),
    );
    assert_eq!(run.await.unwrap().exit_code, 0);
}

#[tokio::test]
async fn what_still_runs_of_a_command_is_ended_by_its_key_also_in_a_session_of_its_own() {
    let left = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!";
    // Not of the effect that the other tests do meanwhile.
    let output = run_as_effect("op-7/2", spec(&["/bin/sh", "-c", left], &[]), &[], 100)
        .await
        .unwrap();
    let pid: u32 = text(&output.stdout).trim().parse().unwrap();
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    let directory = tempfile::tempdir().unwrap();
    let outputs = outputs(directory.path());
    let commands = LocalCommands::new(Arc::new(OneSecret), Arc::default(), outputs);
    commands.end("op-7/3".to_owned()).await;
    assert!(runs(), "it has another key");
    commands.end("op-7/2".to_owned()).await;
    assert!(!runs());
}
