//! Services that others supervise: targets with `commands`.

use super::{HOST, route, start};
use mainstay_tests::{Daemon, guest, wait_for};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use std::fs;

/// Ends the services that a test has started, also where it fails.
struct Services<'a>(&'a Daemon, &'a [&'a str]);

impl Services<'_> {
    fn pid(&self, name: &str) -> Option<Pid> {
        let text = std::fs::read_to_string(self.0.path(&format!("{name}.pid"))).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

impl Drop for Services<'_> {
    fn drop(&mut self) {
        for name in self.1 {
            if let Some(pid) = self.pid(name) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// A service that its command leaves in the background, and whose stop waits for its end, for ever.
fn service(name: &str, more: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\n\
         commands.start = [\"sh\", \"-c\", \"sleep 1000 >/dev/null 2>&1 & echo $! > {name}.pid\"]\n\
         commands.stop = [\"sh\", \"-c\", \"while kill -0 $(cat {name}.pid); do sleep 0.05; done\"]\n{more}\n"
    )
}

/// Acts: `target.commands.timeout`, `target.pid_file`
#[test]
fn a_stop_that_hangs_is_given_up_and_what_the_pid_file_names_is_ended_before_the_start() {
    let names = ["known", "checked", "unknown"];
    let check = "[[target.check]]\nkind = \"process\"\npid_file = \"checked.pid\"\nevery = \"1h\"\nfailure = \"seen\"";
    let config = [
        service(
            "known",
            "pid_file = \"known.pid\"\ncommands.timeout = \"300ms\"",
        ),
        service("checked", &format!("commands.timeout = \"300ms\"\n{check}")),
        service("unknown", "commands.timeout = \"300ms\""),
        route("first", "{ do = \"restart\" }"),
        route("hangs", "{ do = \"restart\" }"),
    ];
    let daemon = start(&config.concat());
    let services = Services(&daemon, &names);
    let mut before = Vec::new();
    for name in names {
        // Nothing runs yet: the stop ends at once, for there is no file.
        let operation = daemon.recover(name, "first");
        assert_eq!(operation["state"], "succeeded", "{operation}");
        let pid = services.pid(name).unwrap();
        // It hangs: no signal but SIGCONT and SIGKILL does anything.
        kill_process(pid, Signal::STOP).unwrap();
        before.push(pid);
    }
    for (name, old) in names.into_iter().zip(before) {
        let operation = daemon.recover(name, "hangs");
        assert_eq!(operation["state"], "succeeded", "{operation}");
        let warned = daemon.wait_for_event_of("target.warned", name);
        let message = warned["message"].as_str().unwrap();
        assert!(message.contains("did not end within 300ms"), "{message}");
        assert!(message.contains("started all the same"), "{message}");
        assert_ne!(services.pid(name), Some(old), "it was started anew");
        if name == "unknown" {
            // Nothing names it, so nobody may end it.
            assert!(test_kill_process(old).is_ok());
            kill_process(old, Signal::KILL).unwrap();
            continue;
        }
        assert!(message.contains("of its pid file was ended"), "{message}");
        wait_for("the old process to be gone", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", old.as_raw_nonzero()));
            let lives = stat.is_ok_and(|stat| !stat.contains(") Z "));
            (!lives).then_some(()).ok_or(format!("{name} lives on"))
        });
    }
}

#[test]
fn a_foreign_service_that_is_down_is_started_though_its_stop_fails() {
    let config = [
        "[[target]]\nname = \"down\"\n\
         commands.start = [\"sh\", \"-c\", \"echo started >> down.calls\"]\n\
         commands.stop = [\"sh\", \"-c\", \"echo not running >&2; exit 5\"]\n"
            .to_owned(),
        route("again", "{ do = \"restart\" }"),
    ];
    let daemon = start(&config.concat());
    let operation = daemon.recover("down", "again");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(daemon.path("down.calls").exists());
    let warned = daemon.wait_for_event_of("target.warned", "down");
    let message = warned["message"].as_str().unwrap();
    assert!(
        message.contains("exited with code 5: not running; it is started all the same"),
        "{message}"
    );
}

/// Acts: `target.commands.env`, `target.commands.user`
#[test]
fn the_commands_of_a_foreign_service_have_their_variables_and_their_user() {
    let target = |name: &str, run: &str, more: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\ncommands.restart = [\"sh\", \"-c\", '{run}']\n{more}\n"
        )
    };
    let is_nobody = "test \"$(id -un) $USER\" = \"nobody nobody\"";
    let config = [
        HOST.to_owned(),
        "[secrets]\npin = { env = \"PIN_OF_THE_DAEMON\" }\n".to_owned(),
        target(
            "told",
            "echo \"$TOKEN\" >> told.calls",
            "commands.env = { TOKEN = \"is ${secret:pin}\" }",
        ),
        target("other", is_nobody, "commands.user = \"nobody\""),
        target("own", is_nobody, ""),
        route("again", "{ do = \"restart\" }"),
        "[plugin.probe]\ngrants = { target = [\"status\", \"restart\"] }\n".to_owned(),
    ];
    let mut daemon = Daemon::prepare(&config.concat());
    daemon.set_env("PIN_OF_THE_DAEMON", "2718281828");
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("told", "again");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let calls = fs::read_to_string(daemon.path("told.calls")).unwrap();
    assert_eq!(calls, "is 2718281828\n");
    assert_eq!(daemon.recover("own", "again")["state"], "failed");
    let operation = daemon.recover("other", "again");
    match geteuid().is_root() {
        true => assert_eq!(operation["state"], "succeeded", "{operation}"),
        false => assert!(
            operation.to_string().contains("the user `nobody`"),
            "{operation}"
        ),
    }
}
