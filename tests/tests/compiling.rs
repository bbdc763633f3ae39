//! Plugins that take long to compile: everything else goes on, the small ones serve first, and nothing stays taken.

use mainstay_tests::{Daemon, HOST, handmade, lives, resident_kb, sleeper, wait_for};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// What takes tens of seconds on any machine.
const BOMB: usize = 20_000_000;

fn states(daemon: &Daemon) -> Vec<(String, String)> {
    let rows = daemon.json(&["plugin", "list"]);
    let rows = rows.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| {
        let file = text(&row["file"]);
        let name = file.rsplit('/').next().unwrap_or_default().to_owned();
        (name, text(&row["state"]))
    })
    .collect()
}

fn state_of(daemon: &Daemon, file: &str) -> String {
    let mut found = states(daemon).into_iter();
    let found = found.find(|(name, _)| name == file);
    found.map_or_else(String::new, |(_, state)| state)
}

/// The processes that compile for this daemon.
fn compilers(daemon: &Daemon) -> BTreeSet<u32> {
    let is_compiler = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("compile-component")
    };
    daemon.children().into_iter().filter(is_compiler).collect()
}

fn wait_for_compilers(daemon: &Daemon, count: usize) -> BTreeSet<u32> {
    wait_for("compilers", || {
        let found = compilers(daemon);
        match found.len() >= count {
            true => Ok(found),
            false => Err(format!("{found:?}")),
        }
    })
}

#[test]
fn twenty_small_plugins_serve_while_a_bomb_and_a_huge_one_still_compile() {
    let daemon = Daemon::start(&format!("{HOST}{}", sleeper("job")), &[]);
    let before = resident_kb(daemon.pid());
    let write = |name: &str, bytes: &[u8]| {
        fs::write(daemon.path("plugins").join(name), bytes).unwrap();
    };
    // By their names they come first.
    write(
        "a-bomb.wasm",
        &handmade::with_code(&handmade::handler("bomb"), BOMB),
    );
    let huge = handmade::with_code(&handmade::handler("huge"), BOMB);
    write("b-huge.wasm", &handmade::with_padding(&huge, 23 << 20));
    for number in 0..20 {
        let name = format!("small-{number}");
        write(&format!("{name}.wasm"), &handmade::handler(&name));
    }
    daemon.wait_for_plugins(20);
    assert_eq!(
        state_of(&daemon, "a-bomb.wasm"),
        "found",
        "{:?}",
        states(&daemon)
    );
    assert_eq!(
        state_of(&daemon, "b-huge.wasm"),
        "found",
        "{:?}",
        states(&daemon)
    );
    let running = wait_for_compilers(&daemon, 1);
    for pid in &running {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let environ = read("environ");
        let names = environ
            .split('\0')
            .filter_map(|line| line.split('=').next());
        let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
        assert_eq!(names, BTreeSet::from(["MAINSTAY_PROGRAM", "PATH"]));
        wait_for("the bounds of the compiler", || {
            let (limits, killed) = (read("limits"), read("oom_score_adj"));
            match limits.contains("2147483648") && killed.trim() == "1000" {
                true => Ok(()),
                false => Err(limits),
            }
        });
    }
    // What nobody waits for any more is not compiled to its end.
    for file in ["a-bomb.wasm", "b-huge.wasm"] {
        fs::remove_file(daemon.path("plugins").join(file)).unwrap();
    }
    wait_for("the compilers to end", || {
        match compilers(&daemon).is_empty() && !running.iter().any(|pid| lives(*pid)) {
            true => Ok(()),
            false => Err(format!("{running:?}")),
        }
    });
    wait_for("the files of the compilers to go with them", || {
        let files = fs::read_dir(daemon.path("state/compiling")).unwrap();
        match files.count() {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        }
    });
    wait_for("the memory to be given back", || {
        let now = resident_kb(daemon.pid());
        match now < before + 64 * 1024 {
            true => Ok(()),
            false => Err(format!("{now} kB after {before} kB")),
        }
    });
}

#[test]
fn a_daemon_with_a_bomb_and_no_cache_supervises_and_answers_before_it_is_compiled() {
    let mut daemon = Daemon::prepare(&format!("{HOST}{}", sleeper("job")));
    let bomb = handmade::with_code(&handmade::handler("bomb"), BOMB);
    fs::write(daemon.path("plugins/bomb.wasm"), bomb).unwrap();
    daemon.run();
    daemon.wait_for_status("the target to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    assert_eq!(state_of(&daemon, "bomb.wasm"), "found");
    wait_for_compilers(&daemon, 1);
    daemon.kill_child("job");
    daemon.wait_for_event("that its end is seen", |event| {
        event["kind"] == "process.exited"
    });
    assert_eq!(state_of(&daemon, "bomb.wasm"), "found");
    assert!(daemon.stop());
}

#[test]
fn a_compile_that_is_killed_is_a_refusal_that_says_so() {
    let daemon = Daemon::start(&format!("{HOST}{}", sleeper("job")), &[]);
    let bomb = handmade::with_code(&handmade::handler("bomb"), BOMB);
    fs::write(daemon.path("plugins/bomb.wasm"), bomb).unwrap();
    // What is refused before the file has rested is tried again once.
    let refused = wait_for("the refusal", || {
        for pid in compilers(&daemon) {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            // It may have ended by now.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let mut events = daemon.events().into_iter();
        let refused = events.find(|event| event["kind"] == "plugin.rejected");
        refused.ok_or_else(|| format!("{:?}", states(&daemon)))
    });
    let reason = refused["data"]["reason"].as_str().unwrap();
    assert!(reason.contains("was killed (signal 9)"), "{reason}");
    assert_eq!(state_of(&daemon, "bomb.wasm"), "rejected");
}

#[test]
fn a_compiler_ends_with_the_daemon_that_is_killed() {
    let mut daemon = Daemon::prepare(&format!("{HOST}{}", sleeper("job")));
    let bomb = handmade::with_code(&handmade::handler("bomb"), BOMB);
    fs::write(daemon.path("plugins/bomb.wasm"), bomb).unwrap();
    daemon.run();
    let running = wait_for_compilers(&daemon, 1);
    daemon.kill();
    wait_for("its compilers to end", || {
        let left: Vec<u32> = running.iter().copied().filter(|pid| lives(*pid)).collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("{left:?}")),
        }
    });
}

#[test]
fn what_is_called_right_after_the_start_waits_until_it_is_compiled() {
    let route = "\n[[route]]\nfailure = \"odd\"\nchain = [{ handler = \"fixer\" }]\n";
    let mut daemon = Daemon::prepare(&format!("{HOST}{}{route}", sleeper("job")));
    let fixer = handmade::with_code(&handmade::handler("fixer"), 400_000);
    fs::write(daemon.path("plugins/fixer.wasm"), fixer).unwrap();
    daemon.run();
    let operation = daemon.recover("job", "odd");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    // And the next daemon has it from the cache, before anything begins.
    assert!(daemon.stop());
    daemon.run();
    assert_eq!(state_of(&daemon, "fixer.wasm"), "serving");
}
