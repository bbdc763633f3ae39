//! Services that others supervise.

use super::*;
use mainstay_domain::spec::ForeignCommands;

fn words(text: &str) -> Option<Vec<String>> {
    Some(text.split(' ').map(str::to_owned).collect())
}

fn foreign(commands: ForeignCommands) -> TargetSpec {
    TargetSpec {
        commands,
        ..target("db", Vec::new())
    }
}

#[tokio::test]
async fn a_foreign_service_is_controlled_by_its_commands() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        restart: None,
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], Left::default());
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    within(daemon.supervisor.stop(name("db"))).await.unwrap();
    within(daemon.supervisor.start(name("db"))).await.unwrap();
    let expected = ["svc stop db", "svc start db", "svc stop db", "svc start db"];
    assert_eq!(
        *daemon.commands.run.lock().unwrap(),
        expected.map(|words| format!("{words} in /etc"))
    );
    let status = daemon.supervisor.status(&name("db")).unwrap();
    assert_eq!((status.running, status.pid), (None, None));

    *daemon.commands.exit_code.lock().unwrap() = 5;
    let error = within(daemon.supervisor.start(name("db")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed: db: `svc start db` exited with code 5: no such unit"
    );
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_foreign_service_has_its_own_restart_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        restart: words("svc restart db"),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], Left::default());
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    assert_eq!(
        *daemon.commands.run.lock().unwrap(),
        ["svc restart db in /etc"]
    );
    let error = within(daemon.supervisor.stop(name("db")))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("neither `run` nor `commands.stop`"),
        "{error}"
    );
    let error = within(daemon.supervisor.signal(name("db"), Signal::Hup))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no supervised process"),
        "{error}"
    );
    daemon.shut_down().await.unwrap();
}
