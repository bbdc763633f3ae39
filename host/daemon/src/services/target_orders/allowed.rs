//! Whether a person may start, stop, restart or reload a target now, and what is said where they may not.
//!
//! Invariant: pure; who is refused is told what to do instead.

use crate::ports::TargetVerb;
use mainstay_domain::{name::TargetName, spec::TargetSpec};

/// Why it may not be, if it may not. `held` is who keeps the target stopped, in words; `pid` the process that it has.
pub(super) fn refusal(
    verb: TargetVerb,
    target: &TargetSpec,
    held: Option<&str>,
    pid: Option<u32>,
) -> Option<String> {
    let name = &target.name;
    if let (TargetVerb::Stop | TargetVerb::Reload, Some(held)) = (verb, held) {
        return Some(kept_stopped(name, held));
    }
    let Some(own) = &target.process else {
        return missing(verb, target).map(|missing| {
            format!("{name} is a foreign service without {missing}; write it in its config")
        });
    };
    match (verb, pid) {
        (TargetVerb::Start, Some(pid)) if held.is_none() => Some(format!(
            "{name} runs already, as process {pid}; `mainstay restart {name}` starts it anew"
        )),
        (TargetVerb::Reload, _) if own.reload.is_none() => Some(format!(
            "the config of {name} has no `reload`; write reload = \"SIGHUP\" where it reads its config at that"
        )),
        (TargetVerb::Reload, None) => Some(format!(
            "{name} does not run, and reads its config when it starts: `mainstay start {name}` starts it"
        )),
        _ => None,
    }
}

/// Somebody keeps it stopped; `words` say who and why.
pub(super) fn kept_stopped(name: &TargetName, words: &str) -> String {
    format!("{name} is {words}; `mainstay start {name}` ends that")
}

/// What the config of a foreign service lacks for this.
fn missing(verb: TargetVerb, target: &TargetSpec) -> Option<&'static str> {
    let commands = &target.commands;
    let can_stop = commands.stop.is_some() || commands.pid_file.is_some();
    match verb {
        TargetVerb::Start if commands.start.is_none() => Some("`commands.start`"),
        TargetVerb::Stop if !can_stop => Some("`commands.stop` or `pid_file`"),
        TargetVerb::Restart
            if commands.restart.is_none() && (commands.start.is_none() || !can_stop) =>
        {
            Some("`commands.restart`, or `commands.stop` and `commands.start`")
        }
        TargetVerb::Reload if commands.reload.is_none() => Some("`commands.reload`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use TargetVerb::{Reload as ReloadIt, Restart, Start, Stop};
    use mainstay_domain::{effect::Signal, spec::Reload};

    const HELD: Option<&str> = Some("stopped by ann: new disks");

    fn child(reloads: bool) -> TargetSpec {
        let mut child = specs::child("web", &["/bin/sleep", "1000"]);
        if let Some(process) = &mut child.process {
            process.reload = reloads.then_some(Reload::Signal(Signal::Hup));
        }
        child
    }

    /// A foreign service with these commands: `start`, `stop`, `restart`, `reload`, and `pid` for a pid file.
    fn foreign(has: &str) -> TargetSpec {
        let mut foreign = specs::target("web", Vec::new());
        let has: Vec<&str> = has.split_whitespace().collect();
        let command = |name: &str| has.contains(&name).then(|| vec!["/bin/true".to_owned()]);
        foreign.commands.start = command("start");
        foreign.commands.stop = command("stop");
        foreign.commands.restart = command("restart");
        foreign.commands.reload = command("reload");
        foreign.commands.pid_file = has.contains(&"pid").then(|| "/run/web.pid".into());
        foreign
    }

    /// Each verb, of a target that runs, does not, or is kept stopped.
    #[test]
    fn what_is_said_of_each_command_is_true_however_the_target_stands() {
        let runs = Some(7);
        let held = Some("web is stopped by ann: new disks; `mainstay start web` ends that");
        let down =
            "web does not run, and reads its config when it starts: `mainstay start web` starts it";
        let no_reload = "the config of web has no `reload`; write reload = \"SIGHUP\" where it reads its config at that";
        for (verb, target, by, pid, expected) in [
            (Start, child(false), None, None, None),
            (
                Start,
                child(false),
                None,
                runs,
                Some("web runs already, as process 7; `mainstay restart web` starts it anew"),
            ),
            // It still ends.
            (Start, child(false), HELD, runs, None),
            (Start, child(false), HELD, None, None),
            (Stop, child(false), None, runs, None),
            (Stop, child(false), None, None, None),
            (Stop, child(false), HELD, None, held),
            (Restart, child(false), None, runs, None),
            (Restart, child(false), None, None, None),
            (Restart, child(false), HELD, None, None),
            (ReloadIt, child(true), None, runs, None),
            (ReloadIt, child(true), None, None, Some(down)),
            (ReloadIt, child(true), HELD, None, held),
            (ReloadIt, child(false), None, runs, Some(no_reload)),
            (ReloadIt, child(false), None, None, Some(no_reload)),
            (Stop, foreign("start stop"), HELD, None, held),
            (ReloadIt, foreign("reload"), HELD, None, held),
        ] {
            let found = refusal(verb, &target, by, pid);
            assert_eq!(found.as_deref(), expected, "{verb:?} {by:?} {pid:?}");
        }
    }

    #[test]
    fn a_foreign_service_is_told_which_command_it_lacks() {
        for (verb, has, lacks) in [
            (Start, "start", None),
            (Start, "stop restart", Some("`commands.start`")),
            (Stop, "stop", None),
            (Stop, "pid", None),
            (Stop, "start", Some("`commands.stop` or `pid_file`")),
            (Restart, "restart", None),
            (Restart, "start stop", None),
            (Restart, "start pid", None),
            (
                Restart,
                "start",
                Some("`commands.restart`, or `commands.stop` and `commands.start`"),
            ),
            (ReloadIt, "reload", None),
            (ReloadIt, "restart", Some("`commands.reload`")),
        ] {
            let expected = lacks.map(|lacks| {
                format!("web is a foreign service without {lacks}; write it in its config")
            });
            let found = refusal(verb, &foreign(has), None, None);
            assert_eq!(found, expected, "{verb:?} {has}");
        }
    }
}
