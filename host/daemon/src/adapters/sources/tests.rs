//! Real programs.

use super::*;
use crate::{
    adapters::{
        environment::{OF_THE_TESTS, without_that_of_the_tests},
        limits,
    },
    ports::SecretError,
};
use mainstay_domain::{name::SecretName, spec::ServiceAddress};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{Read, Seek},
    path::Path,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(20);

/// Conceals the one value that there is.
struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        Err(SecretError::Unknown(name.clone()))
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes).replace("s3cr3t", "${secret:token}");
        text.into_bytes()
    }
}

/// What reads sources, and keeps what is printed below this directory.
fn sources(secrets: impl Secrets + 'static, directory: &Path) -> LocalSources {
    LocalSources::new(
        Arc::new(secrets),
        without_that_of_the_tests(),
        Arc::new(Outputs::new(directory)),
        Handle::current(),
    )
}

/// How the script ended, and what it printed.
async fn run(
    script: &str,
    timeout: Duration,
    stop: CancellationToken,
) -> (Result<(), BackupStoreError>, String) {
    run_so(script, RunAs::default(), timeout, stop).await
}

async fn run_so(
    script: &str,
    run_as: RunAs,
    timeout: Duration,
    stop: CancellationToken,
) -> (Result<(), BackupStoreError>, String) {
    let directory = tempfile::tempdir().unwrap();
    let sources = sources(OneSecret, directory.path());
    let run = ["sh", "-c", script].map(str::to_owned);
    let running = tokio::task::spawn_blocking(move || {
        let source = SourceProgram {
            run: &run,
            cwd: Path::new("/"),
            run_as: &run_as,
            timeout,
        };
        let mut printed = Vec::new();
        let mut take = |bytes: &[u8]| {
            printed.extend_from_slice(bytes);
            Ok(())
        };
        let ended = sources.run(&source, &mut take, &stop);
        (ended, String::from_utf8(printed).unwrap())
    });
    running.await.unwrap()
}

async fn error_of(script: &str, timeout: Duration) -> String {
    let (ended, _) = run(script, timeout, CancellationToken::new()).await;
    ended.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_is_written_and_what_it_inherits_has_no_variable_of_a_secret() {
    let (ended, printed) = run("pwd; env", LONG, CancellationToken::new()).await;
    ended.unwrap();
    assert!(
        printed.starts_with("/\n") && printed.contains("PATH="),
        "{printed}"
    );
    assert!(!printed.contains(OF_THE_TESTS), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_it_prints_is_taken_and_what_takes_no_more_ends_it() {
    let (ended, printed) = run("seq 500000", LONG, CancellationToken::new()).await;
    ended.unwrap();
    assert_eq!(printed.lines().count(), 500_000);
    let directory = tempfile::tempdir().unwrap();
    let sources = sources(OneSecret, directory.path());
    let running = tokio::task::spawn_blocking(move || {
        let run = ["yes".to_owned()];
        let source = SourceProgram {
            run: &run,
            cwd: Path::new("/"),
            run_as: &RunAs::default(),
            timeout: Duration::MAX,
        };
        let full = || BackupStoreError::NoRoom("it is full".to_owned());
        let ended = sources.run(&source, &mut |_| Err(full()), &CancellationToken::new());
        assert_eq!(ended, Err(full()));
    });
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_config_adds_to_what_it_inherits_is_revealed_and_its_user_must_exist() {
    let run_as = |user: Option<&str>, value: &str| RunAs {
        user: user.map(str::to_owned),
        env: [("OF_ITS_OWN".to_owned(), value.to_owned())].into(),
    };
    let script = "echo $OF_ITS_OWN; env";
    let printed = |run_as| run_so(script, run_as, LONG, CancellationToken::new());
    let (ended, text) = printed(run_as(None, "a word")).await;
    ended.unwrap();
    assert!(
        text.starts_with("a word\n") && text.contains("PATH="),
        "{text}"
    );
    // The one secret that is asked for has no value here.
    for (run_as, says) in [
        (run_as(None, "${secret:token}"), "OF_ITS_OWN"),
        (run_as(Some("nobody-there"), ""), "the user `nobody-there`"),
    ] {
        let (ended, text) = printed(run_as).await;
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(says) && text.is_empty(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_says_why_with_the_end_of_what_it_said() {
    assert_eq!(
        error_of("echo bad luck >&2; exit 3", LONG).await,
        "the source command `sh` ended with exit code 3: bad luck"
    );
    assert_eq!(
        error_of("echo no such password: s3cr3t >&2; exit 1", LONG).await,
        "the source command `sh` ended with exit code 1: no such password: ${secret:token}"
    );
    assert_eq!(
        error_of("kill -9 $$", LONG).await,
        "the source command `sh` was ended by signal 9 (SIGKILL)"
    );
    let long = error_of("seq 100000 >&2; echo end >&2; exit 1", LONG).await;
    assert!(
        long.len() < 2_200 && long.ends_with("100000\nend"),
        "{long}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_end_is_killed_with_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("late");
    let script = format!("(sleep 2; touch {}) & wait", marker.display());
    let begun = Instant::now();
    let error = error_of(&script, Duration::from_millis(200)).await;
    assert!(error.contains("did not end within 200ms"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!marker.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_leaves_behind_ends_with_it_also_in_a_session_of_its_own() {
    let script = "sleep 300 & echo $!; setsid sleep 300 & echo $!";
    let (ended, printed) = run(script, LONG, CancellationToken::new()).await;
    ended.unwrap();
    let pids: Vec<&str> = printed.split_ascii_whitespace().collect();
    assert_eq!(pids.len(), 2, "{printed}");
    let deadline = Instant::now() + LONG;
    for pid in pids {
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
        };
        while lives() {
            assert!(Instant::now() < deadline, "{pid} lives");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_interrupts_it() {
    let stop = CancellationToken::new();
    stop.cancel();
    let (ended, _) = run("sleep 300", Duration::from_secs(400), stop).await;
    assert!(
        matches!(ended, Err(BackupStoreError::Interrupted)),
        "{ended:?}"
    );
}

/// Answers one request with this, and is never asked again.
fn server(answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_once_and_no_more_is_written_than_its_source_allows() {
    let fetch = |answer: &'static str, max_bytes, is_stopped: bool| async move {
        let directory = tempfile::tempdir().unwrap();
        let sources = sources(OneSecret, directory.path());
        let source = HttpSource {
            url: server(answer),
            headers: Default::default(),
            key: "k".to_owned(),
            timeout: LONG,
            max_bytes,
        };
        let asking = tokio::task::spawn_blocking(move || {
            let mut output = tempfile::tempfile().unwrap();
            let stop = CancellationToken::new();
            if is_stopped {
                stop.cancel();
            }
            let ended = sources.fetch(&source, &output, &stop);
            let mut written = String::new();
            output.rewind().unwrap();
            output.read_to_string(&mut written).unwrap();
            (ended, written)
        });
        asking.await.unwrap()
    };
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole";
    let (ended, written) = fetch(whole, 5, false).await;
    assert_eq!((ended, written.as_str()), (Ok(()), "whole"));
    let (ended, written) = fetch(whole, 4, false).await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("more than 4 bytes"), "{error}");
    assert_eq!(written, "");
    // It breaks off.
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf";
    let (ended, _) = fetch(half, 100, false).await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
    let (ended, _) = fetch(whole, 5, true).await;
    assert_eq!(ended, Err(BackupStoreError::Interrupted));
}

/// Longer than what a Redis quotes of it below.
const PASSWORD: &str = "correct-horse-battery-staple-correct-horse-battery-staple";

/// Knows the one password, where it is whole.
struct Password;

impl Secrets for Password {
    fn value(&self, _: &SecretName) -> Result<String, SecretError> {
        Ok(PASSWORD.to_owned())
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes).replace(PASSWORD, "${secret:pin}");
        text.into_bytes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_tells_again_what_it_was_told_has_nobody_read_the_password() {
    for (answer, says) in [
        (
            format!("-ERR unknown command 'AUTH', with args beginning with: '{PASSWORD}' "),
            "ERR unknown command",
        ),
        (
            format!(
                "-ERR unknown command `AUTH`, with args beginning with: `{}`",
                PASSWORD.split_at(20).0
            ),
            "ERR unknown command",
        ),
        (
            format!("-ERR {PASSWORD} is none"),
            "ERR ${secret:pin} is none",
        ),
        (
            "-WRONGPASS invalid username-password pair".to_owned(),
            "WRONGPASS invalid username-password pair",
        ),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = ServiceAddress::Tcp(listener.local_addr().unwrap().to_string());
        std::thread::spawn(move || {
            use std::io::Write;
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .unwrap();
            // Until nobody reads any more.
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let directory = tempfile::tempdir().unwrap();
        let sources = sources(Password, directory.path());
        let source = RedisSource {
            at,
            user: None,
            password: Some(SecretName::parse("pin").unwrap()),
            database: 0,
            keys: vec!["*".to_owned()],
            key: "redis.resp".to_owned(),
            timeout: LONG,
        };
        let asking = tokio::task::spawn_blocking(move || {
            sources.dump(&source, &mut |_| Ok(()), &CancellationToken::new())
        });
        let error = asking.await.unwrap().unwrap_err().to_string();
        assert!(
            error.ends_with(&format!(": it answered AUTH with: {says}")),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_start_hangs_is_given_up_in_its_time_and_at_a_stop() {
    let directory = tempfile::tempdir().unwrap();
    let sources = sources(OneSecret, directory.path());
    let _release = sources.starts.all_hang();
    let running = tokio::task::spawn_blocking(move || {
        let run = ["true".to_owned()];
        let within = |timeout, stop: &CancellationToken| {
            let source = SourceProgram {
                run: &run,
                cwd: Path::new("/"),
                run_as: &RunAs::default(),
                timeout,
            };
            sources.run(&source, &mut |_| Ok(()), stop).unwrap_err()
        };
        let late = within(Duration::from_millis(50), &CancellationToken::new());
        let stop = CancellationToken::new();
        stop.cancel();
        (late, within(LONG * 20, &stop))
    });
    let (late, stopped) = running.await.unwrap();
    assert!(
        late.to_string().contains("did not end within 50ms"),
        "{late}"
    );
    assert!(
        matches!(stopped, BackupStoreError::Interrupted),
        "{stopped:?}"
    );
}

/// Not a test of its own: the limit holds for a whole process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test below runs it as a process of its own"]
async fn the_source_of_a_daemon_that_was_started_with_few_descriptors() {
    let few = Rlimit {
        current: Some(200),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, few).unwrap();
    assert_eq!(limits::raise_open_files(), few.maximum);
    // It is given back just after the start.
    let script = "until [ \"$(ulimit -Sn)\" = 200 ]; do sleep 0.01; done";
    let (ended, _) = run(script, LONG, CancellationToken::new()).await;
    ended.unwrap();
}

#[test]
fn it_may_open_as_many_files_as_the_daemon_was_started_with() {
    let test =
        "adapters::sources::tests::the_source_of_a_daemon_that_was_started_with_few_descriptors";
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&alone.stdout);
    assert!(
        alone.status.success() && told.contains("1 passed"),
        "{told}"
    );
}
