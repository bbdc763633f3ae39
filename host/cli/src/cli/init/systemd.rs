//! Targets out of units of systemd (`*.service`).
//!
//! Length: what becomes of each key of a unit is one table.

use super::{
    Source,
    command_line::CommandLine,
    draft::{Draft, Fate, Imported, Note, name_of},
    entries::{Entry, Syntax, entries},
    supervisord::stop_signal,
    unit_words::{assignments, specified},
    words::{LONGEST, bytes, length, millis, umask},
};
use std::path::Path;

/// What the files give, in their order.
pub(super) fn import(sources: &[Source]) -> Imported {
    let names: Vec<String> = sources.iter().map(unit_of).collect();
    let mut imported = Imported::default();
    let mut first_of: Vec<(String, String)> = Vec::new();
    for (source, name) in sources.iter().zip(&names) {
        let mut rows = entries(&source.text, Syntax::Systemd);
        let mut files = vec![source.file.as_str(); rows.len()];
        for drop_in in &source.drop_ins {
            let more = entries(&drop_in.text, Syntax::Systemd);
            files.extend(more.iter().map(|_| drop_in.file.as_str()));
            rows.extend(more);
        }
        let unit = Unit {
            name,
            all: &names,
            rows: &rows,
        };
        let mut draft = Draft::new(target_of(name), name.as_str());
        // systemd's own defaults.
        draft.set("cwd", "/");
        draft.set("restart", "never");
        let fates = rows.iter().enumerate().map(|(at, row)| {
            let undone = unit.undone(at, row);
            undone.unwrap_or_else(|| unit.carry(&mut draft, row))
        });
        let fates: Vec<Fate> = fates.collect();
        unit.judge(&mut draft);
        for other in unit.lists("Before") {
            first_of.push((other.to_owned(), draft.name.clone()));
        }
        imported.notes.extend(
            rows.iter()
                .zip(files)
                .zip(fates)
                .map(|((row, file), fate)| Note {
                    file: file.to_owned(),
                    line: row.line,
                    text: row.text(),
                    fate,
                }),
        );
        imported.targets.push(draft);
    }
    // Before= of one is After= of the other.
    for (unit, first) in first_of {
        let later = imported.targets.iter_mut().find(|one| one.origin == unit);
        if let Some(later) = later.filter(|later| later.name != first) {
            later.add("depends_on", first);
        }
    }
    imported
}

fn unit_of(source: &Source) -> String {
    let name = Path::new(&source.file).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn target_of(unit: &str) -> String {
    name_of(unit.strip_suffix(".service").unwrap_or(unit))
}

/// The keys of which the last value is the one that counts.
const LAST_COUNTS: [&str; 15] = [
    "Type",
    "Restart",
    "User",
    "Group",
    "WorkingDirectory",
    "KillSignal",
    "KillMode",
    "TimeoutStopSec",
    "TimeoutSec",
    "LimitNOFILE",
    "Nice",
    "UMask",
    "PIDFile",
    "MemoryMax",
    "CPUQuota",
];

/// Whether an empty value takes away what stands before it. What a unit depends on cannot be taken away, and where one of a
/// few words is asked for, systemd ignores an empty one.
fn is_reset_by_empty(row: &Entry) -> bool {
    row.section == "Service"
        && !["Type", "Restart", "KillSignal", "KillMode"].contains(&row.key.as_str())
}

/// One unit.
struct Unit<'a> {
    /// As its file is called.
    name: &'a str,
    /// Those beside it.
    all: &'a [String],
    /// Those of its file, and then those of its drop-ins.
    rows: &'a [Entry],
}

impl Unit<'_> {
    /// Every value of a key that counts.
    fn values(&self, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for row in self.rows.iter().filter(|row| row.key == key) {
            match row.value.is_empty() {
                false => values.push(row.value.as_str()),
                true if is_reset_by_empty(row) => values.clear(),
                true => {}
            }
        }
        values
    }

    /// What became of a line that says nothing any more, because of one that follows it.
    fn undone(&self, at: usize, row: &Entry) -> Option<Fate> {
        let is_same = |later: &&Entry| later.section == row.section && later.key == row.key;
        let later: Vec<&Entry> = self.rows.iter().skip(at + 1).filter(is_same).collect();
        if row.value.is_empty() {
            return None;
        }
        if is_reset_by_empty(row) && later.iter().any(|later| later.value.is_empty()) {
            return Some(Fate::left("an empty one follows it, which takes it away"));
        }
        let is_one = row.section == "Service" && LAST_COUNTS.contains(&row.key.as_str());
        let is_said_anew = later.iter().any(|later| !later.value.is_empty());
        (is_one && is_said_anew).then(|| Fate::left("a later line says it otherwise"))
    }

    fn value(&self, key: &str) -> &str {
        self.values(key).last().copied().unwrap_or_default()
    }

    /// The units that a key names and that are imported too.
    fn lists(&self, key: &str) -> Vec<&str> {
        let named = self.values(key).into_iter().flat_map(str::split_whitespace);
        let imported = named.filter(|unit| self.all.iter().any(|one| one == unit));
        imported.filter(|unit| *unit != self.name).collect()
    }

    /// What only the keys together say.
    fn judge(&self, draft: &mut Draft) {
        let kind = self.value("Type");
        if self.values("ExecStart").is_empty() {
            draft.off = Some("the unit has no ExecStart".to_owned());
        } else if draft.get("run").is_none() {
            draft.off = Some("its ExecStart cannot be carried".to_owned());
        } else if kind == "forking" && draft.get("pid_file").is_none() {
            draft.off = Some("it forks, and no PIDFile says which process it then is".to_owned());
        }
        // What is always restarted has no exit that is expected.
        let is_always = draft.get("restart").and_then(|value| value.as_str()) == Some("always");
        if is_always {
            draft.keys.retain(|(key, _)| *key != "expected_exit");
        }
    }

    /// Takes a line over into the target.
    fn carry(&self, draft: &mut Draft, row: &Entry) -> Fate {
        if row.value.is_empty() {
            return Fate::Carried;
        }
        let is_taken_as_it_is = row.key == "Environment"
            || ["Exec", "CPU", "Memory"]
                .iter()
                .any(|begin| row.key.starts_with(begin));
        let value = match is_taken_as_it_is {
            // It has a reader of its own, or means percent.
            true => row.value.clone(),
            false => match specified(&row.value, self.name) {
                Ok(value) => value,
                Err(why) => return Fate::Left(why),
            },
        };
        match (row.section.as_str(), row.key.as_str()) {
            (_, "") => Fate::left(row.why_nothing().unwrap_or_default()),
            ("Service", key) => self.service(draft, key, &value),
            ("Unit", "After" | "Requires" | "BindsTo" | "Wants" | "Requisite") => {
                self.depends(draft, &value)
            }
            ("Unit", "Before") => match self.lists("Before").is_empty() {
                true => Fate::left("none of these is among the files"),
                false => Fate::differently(
                    "as `depends_on` of the other, which waits until this one is healthy, or done where it ends by itself",
                ),
            },
            ("Unit", "Description" | "Documentation") => Fate::left("a target has no description"),
            ("Install", _) => Fate::left("every target starts with the host"),
            ("Unit", _) => {
                Fate::left("the host has nothing like it; checks say whether a target works")
            }
            _ => Fate::left("it is in no section of a service"),
        }
    }

    fn depends(&self, draft: &mut Draft, value: &str) -> Fate {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for unit in value.split_whitespace().filter(|unit| *unit != self.name) {
            match self.all.iter().any(|one| one == unit) {
                true => found.push(unit),
                false => missing.push(unit),
            }
        }
        for unit in &found {
            draft.add("depends_on", target_of(unit));
        }
        let missing = missing.join(" ");
        match (found.is_empty(), missing.is_empty()) {
            (true, _) => Fate::left(format!("not among the files: {missing}")),
            (false, true) => Fate::differently(
                "as `depends_on`, which waits until it is healthy, or done where it ends by itself",
            ),
            (false, false) => Fate::differently(format!(
                "as `depends_on`, which waits until it is healthy, or done where it ends by itself; not among the files: {missing}"
            )),
        }
    }

    fn service(&self, draft: &mut Draft, key: &str, value: &str) -> Fate {
        match key {
            "ExecStart" => {
                return self.commands(key, |run| draft.set("run", run));
            }
            "ExecStartPre" => {
                return self.commands(key, |run| {
                    draft.set(
                        "before_start",
                        toml::Table::from_iter([("run".to_owned(), run.into())]),
                    );
                });
            }
            "ExecReload" => return self.reload(draft),
            "ExecStop" => {
                return Fate::left("the host stops it with `stop_signal`, and kills after `grace`");
            }
            "ExecStartPost" | "ExecStopPost" | "ExecCondition" => {
                return Fate::left(
                    "nothing runs after a start or a stop; `before_start` runs before one",
                );
            }
            "Type" => return self.kind(draft, value),
            "Restart" => return restart(draft, value),
            "SuccessExitStatus" => {
                let codes = value.split_whitespace().map(str::parse::<u8>);
                let Ok(codes) = codes.collect::<Result<Vec<u8>, _>>() else {
                    return Fate::left(
                        "names of exits and signals are not known; write numbers in `expected_exit`",
                    );
                };
                draft.add("expected_exit", 0);
                for code in codes {
                    draft.add("expected_exit", i64::from(code));
                }
            }
            "RestartSec" | "StartLimitBurst" | "StartLimitIntervalSec" | "StartLimitInterval" => {
                return Fate::left("when and how often is the `strategy` of the route");
            }
            "User" => draft.set("user", value),
            "Group" if value == self.value("User") => {}
            "Group" => return Fate::left("a target has the groups of its `user`"),
            "WorkingDirectory" => {
                let directory = value.strip_prefix('-').unwrap_or(value);
                if directory == "~" {
                    return Fate::left("write the home of the user as `cwd`");
                }
                draft.set("cwd", directory);
                if directory != value {
                    return Fate::differently("where the directory is missing, the start fails");
                }
            }
            "Environment" => match assignments(value, self.name) {
                Ok((found, left)) => return draft.carry_env(found, &left),
                Err(why) => return Fate::Left(why),
            },
            "EnvironmentFile" => return self.environment_file(draft, value),
            "KillSignal" => return stop_signal(draft, value),
            "TimeoutStopSec" | "TimeoutSec" => {
                match millis(value).filter(|millis| (1..=LONGEST).contains(millis)) {
                    Some(millis) => draft.set("grace", length(millis)),
                    None => {
                        return Fate::left(
                            "`grace` is a time that ends, 10s by default and ten years at most",
                        );
                    }
                }
            }
            "LimitNOFILE" => {
                let (soft, hard) = value.split_once(':').unwrap_or((value, value));
                let Some(most) = hard
                    .parse::<i64>()
                    .ok()
                    .filter(|most| (16..=1 << 30).contains(most))
                else {
                    return Fate::left("`nofile` is a number from 16 to 1073741824");
                };
                draft.set("nofile", most);
                if soft != hard {
                    return Fate::differently("`nofile` is the soft and the hard limit");
                }
            }
            "Nice" => match value.parse::<i64>() {
                Ok(nice) if (-20..=19).contains(&nice) => draft.set("nice", nice),
                _ => return Fate::left("`nice` is a number from -20 to 19"),
            },
            "UMask" => match umask(value) {
                Some(mask) => draft.set("umask", mask),
                None => return Fate::left("`umask` is in octal digits, 777 at most"),
            },
            "PIDFile" => draft.set("pid_file", absolute(value, "/run")),
            "MemoryMax" => match bytes(value).filter(|bytes| (1 << 20..=1 << 44).contains(bytes)) {
                Some(bytes) => draft.set("memory_max", format!("{bytes}B")),
                None => return Fate::left("`memory_max` is a size from 1MiB to 16384GiB"),
            },
            "CPUQuota" => match value
                .strip_suffix('%')
                .and_then(|value| value.parse::<i64>().ok())
            {
                Some(percent) if (1..=100_000).contains(&percent) => draft.set("cpu_max", percent),
                _ => return Fate::left("`cpu_max` is in percent of one core, 100000 at most"),
            },
            "KillMode" if ["control-group", "mixed"].contains(&value) => {}
            "KillMode" => return Fate::left("the host ends the process and all that it started"),
            "RemainAfterExit" => {
                return Fate::left("a target that has ended as expected is `completed`");
            }
            "StandardOutput" | "StandardError" | "SyslogIdentifier" => {
                return Fate::differently(
                    "its output goes into `logs/NAME.log` in the state directory",
                );
            }
            _ => return Fate::left("the host has nothing like it"),
        }
        Fate::Carried
    }

    /// All commands of a key, as one.
    fn commands(&self, key: &str, set: impl FnOnce(Vec<String>)) -> Fate {
        let parsed = self.values(key).into_iter();
        let parsed = parsed.map(|value| CommandLine::parse(value, self.name));
        match parsed.collect::<Result<Vec<_>, _>>() {
            Err(why) => Fate::Left(why),
            Ok(all) if all.is_empty() => Fate::left("an empty one follows it"),
            Ok(all) => {
                let (run, differs) = CommandLine::run_all(all);
                set(run);
                match differs.is_empty() {
                    true => Fate::Carried,
                    false => Fate::Differently(differs.join("; ")),
                }
            }
        }
    }

    fn reload(&self, draft: &mut Draft) -> Fate {
        let lines = self.values("ExecReload");
        let [line] = lines.as_slice() else {
            return Fate::left("`reload` is one signal or one program");
        };
        let line = match CommandLine::parse(line, self.name) {
            Ok(line) => line,
            Err(why) => return Fate::Left(why),
        };
        if let Some(signal) = line.sent_signal() {
            if !["SIGHUP", "SIGUSR1", "SIGUSR2"].contains(&signal.as_str()) {
                return Fate::left("`reload` sends SIGHUP, SIGUSR1 or SIGUSR2");
            }
            if self.is_started_by_a_shell() {
                return Fate::left(
                    "the signal would end the shell that runs its commands; with one ExecStart, without `-`, it is carried",
                );
            }
            draft.set("reload", signal);
            return Fate::Carried;
        }
        if line.names_main_process() {
            return Fate::left(
                "a program that reloads is not told the process; `reload` may be a signal",
            );
        }
        let (run, differs) = line.run();
        draft.set("reload", run);
        match differs.is_empty() {
            true => Fate::Carried,
            false => Fate::Differently(differs.join("; ")),
        }
    }

    /// Whether what is started stays a shell, which waits for its commands.
    fn is_started_by_a_shell(&self) -> bool {
        let starts = self.values("ExecStart").into_iter();
        let lines = starts.filter_map(|line| CommandLine::parse(line, self.name).ok());
        CommandLine::need_a_shell(&lines.collect::<Vec<_>>())
    }

    fn kind(&self, draft: &mut Draft, value: &str) -> Fate {
        match value {
            "simple" | "exec" => Fate::Carried,
            "forking" if self.values("PIDFile").is_empty() => {
                Fate::left("without a PIDFile nobody knows which process it then is")
            }
            "forking" => Fate::Carried,
            "oneshot" => {
                draft.is_job = true;
                draft.add("expected_exit", 0);
                Fate::differently(
                    "it is `completed` once it has exited with 0; what depends on it waits for that",
                )
            }
            _ => Fate::differently(
                "as a program that stays in the foreground; its checks say when it is ready",
            ),
        }
    }

    fn environment_file(&self, draft: &mut Draft, value: &str) -> Fate {
        let file = value.strip_prefix('-').unwrap_or(value);
        if draft.get("env_file").is_some() {
            return Fate::left("a target has one `env_file`");
        }
        if file.contains(['*', '?', '[']) {
            return Fate::left("`env_file` is one file, and no pattern");
        }
        draft.set("env_file", file);
        let mut differs = Vec::new();
        if file != value {
            differs.push("where the file is missing, the start fails");
        }
        if !self.values("Environment").is_empty() {
            differs.push("`env`, which has the variables of Environment=, goes over it");
        }
        match differs.is_empty() {
            true => Fate::Carried,
            false => Fate::differently(differs.join("; ")),
        }
    }
}

fn restart(draft: &mut Draft, value: &str) -> Fate {
    match value {
        "always" => draft.set("restart", "always"),
        "on-failure" => draft.set("restart", "on-failure"),
        "no" => {
            draft.set("restart", "never");
            return Fate::differently(
                "an unexpected exit is an incident that only a person recovers",
            );
        }
        "on-success" => {
            draft.set("restart", "always");
            return Fate::differently("as \"always\": a failed exit is recovered too");
        }
        "on-abnormal" | "on-abort" | "on-watchdog" => {
            draft.set("restart", "on-failure");
            return Fate::differently(
                "as \"on-failure\": an exit with another code is recovered too",
            );
        }
        _ => return Fate::left("it is no value of Restart"),
    }
    Fate::Carried
}

fn absolute(path: &str, below: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{below}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::DropIn;
    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source {
            file: file.to_owned(),
            directory: "/etc/systemd/system".to_owned(),
            text: text.to_owned(),
            ..Source::default()
        }
    }

    fn key(draft: &Draft, key: &str) -> String {
        draft.get(key).map(ToString::to_string).unwrap_or_default()
    }

    fn word(fate: &Fate) -> &'static str {
        match fate {
            Fate::Carried => "carried",
            Fate::Differently(_) => "differently",
            Fate::Left(_) => "left",
        }
    }

    #[test]
    fn each_line_of_a_service_is_carried_carried_differently_or_left() {
        for (line, wanted, value, fate) in [
            ("User=www-data", "user", "\"www-data\"", "carried"),
            ("Group=adm", "group", "", "left"),
            ("WorkingDirectory=/srv", "cwd", "\"/srv\"", "carried"),
            ("WorkingDirectory=-/srv", "cwd", "\"/srv\"", "differently"),
            ("UMask=0o22", "umask", "", "left"),
            ("UMask=0027", "umask", "\"0027\"", "carried"),
            ("TimeoutStopSec=99999d", "grace", "", "left"),
            ("MemoryMax=99T", "memory_max", "", "left"),
            ("CPUQuota=200000%", "cpu_max", "", "left"),
            ("EnvironmentFile=/etc/env.d/*.env", "env_file", "", "left"),
            (
                "Environment=A=1 \"B=x y\"",
                "env",
                "{ A = \"1\", B = \"x y\" }",
                "carried",
            ),
            (
                r"Environment=A=\x41 B=%h",
                "env",
                "{ A = \"A\" }",
                "differently",
            ),
            (
                "EnvironmentFile=/etc/web.env",
                "env_file",
                "\"/etc/web.env\"",
                "carried",
            ),
            (
                "EnvironmentFile=-/etc/web.env",
                "env_file",
                "\"/etc/web.env\"",
                "differently",
            ),
            ("KillSignal=SIGINT", "stop_signal", "\"SIGINT\"", "carried"),
            (
                "KillSignal=SIGQUIT",
                "stop_signal",
                "\"SIGQUIT\"",
                "carried",
            ),
            ("KillSignal=SIGKILL", "stop_signal", "", "left"),
            ("TimeoutStopSec=1min 30s", "grace", "\"90s\"", "carried"),
            ("TimeoutStopSec=infinity", "grace", "", "left"),
            ("LimitNOFILE=65536", "nofile", "65536", "carried"),
            ("LimitNOFILE=1024:4096", "nofile", "4096", "differently"),
            ("LimitNOFILE=infinity", "nofile", "", "left"),
            ("Nice=-5", "nice", "-5", "carried"),
            ("PIDFile=web.pid", "pid_file", "\"/run/web.pid\"", "carried"),
            ("Type=forking", "pid_file", "", "left"),
            ("Type=notify", "run", "[\"/bin/web\"]", "differently"),
            ("Type=oneshot", "expected_exit", "[0]", "differently"),
            ("Restart=always", "restart", "\"always\"", "carried"),
            ("Restart=on-failure", "restart", "\"on-failure\"", "carried"),
            (
                "Restart=on-abort",
                "restart",
                "\"on-failure\"",
                "differently",
            ),
            ("Restart=no", "restart", "\"never\"", "differently"),
            ("RestartSec=5", "strategy", "", "left"),
            (
                "SuccessExitStatus=143",
                "expected_exit",
                "[0, 143]",
                "carried",
            ),
            (
                "ExecStartPre=/bin/migrate --now",
                "before_start",
                "{ run = [\"/bin/migrate\", \"--now\"] }",
                "carried",
            ),
            (
                "ExecReload=/bin/kill -HUP $MAINPID",
                "reload",
                "\"SIGHUP\"",
                "carried",
            ),
            (
                "ExecReload=/bin/web --reload",
                "reload",
                "[\"/bin/web\", \"--reload\"]",
                "carried",
            ),
            (
                "ExecReload=/bin/web --reload $MAINPID",
                "reload",
                "",
                "left",
            ),
            ("ExecStop=/bin/web --stop", "stop", "", "left"),
            ("MemoryMax=512M", "memory_max", "\"536870912B\"", "carried"),
            ("CPUQuota=150%", "cpu_max", "150", "carried"),
            ("ProtectSystem=strict", "protect", "", "left"),
        ] {
            let text = format!("[Service]\nExecStart=/bin/web\n{line}\n");
            let found = import(&[source("/x/web.service", &text)]);
            let target = &found.targets[0];
            assert_eq!(target.name, "web");
            assert_eq!(key(target, wanted), value, "{line}");
            let note = &found.notes[1];
            assert_eq!((word(&note.fate), note.line), (fate, 3), "{line}: {note:?}");
        }
    }

    #[test]
    fn a_drop_in_says_more_says_it_otherwise_and_takes_it_away() {
        let unit = "[Unit]\nAfter=db.service\n[Service]\nType=oneshot\nExecStart=/bin/old\nUser=app\nEnvironment=A=1 B=2\nNice=5\n";
        let mut source = source("/x/app.service", unit);
        for (file, text) in [
            (
                "10.conf",
                "[Unit]\nAfter=\n[Service]\nType=simple\nExecStart=\nExecStart=/bin/new\nUser=nobody\n",
            ),
            (
                "20.conf",
                "[Service]\nEnvironment=\nEnvironment=C=3\nNice=\nUMask=0027\n",
            ),
        ] {
            source.drop_ins.push(DropIn {
                file: file.to_owned(),
                text: text.to_owned(),
            });
        }
        let db = Source {
            file: "db.service".to_owned(),
            text: "[Service]\nExecStart=/bin/db\n".to_owned(),
            ..Source::default()
        };
        let found = import(&[source, db]);
        let app = &found.targets[0];
        for (wanted, value) in [
            ("run", "[\"/bin/new\"]"),
            ("user", "\"nobody\""),
            ("env", "{ C = \"3\" }"),
            ("umask", "\"0027\""),
            ("nice", ""),
            ("expected_exit", ""),
            ("depends_on", "[\"db\"]"),
        ] {
            assert_eq!(key(app, wanted), value, "{wanted}");
        }
        let left = found.notes.iter();
        let left = left.filter(|note| matches!(note.fate, Fate::Left(_)));
        let left: Vec<(&str, usize)> = left.map(|note| (note.file.as_str(), note.line)).collect();
        let expected = [4, 5, 6, 7, 8].map(|line| ("/x/app.service", line));
        assert_eq!(left, expected);
        assert!(found.notes.iter().any(|note| note.file == "20.conf"));
        let reset = "[Service]\nExecStart=/bin/x\nUser=app\nUser=\nExecStart=\n";
        let found = import(&[self::source("x.service", reset)]);
        assert_eq!(key(&found.targets[0], "user"), "");
        assert!(found.targets[0].off.is_some());
    }

    #[test]
    fn what_is_carried_beside_another_line_says_where_the_two_together_mean_something_else() {
        for (lines, wanted, value, fate) in [
            (
                "Environment=A=1\nEnvironmentFile=/etc/web.env",
                "env_file",
                "\"/etc/web.env\"",
                "differently",
            ),
            (
                "ExecStart=\nExecStart=-/bin/web\nExecReload=/bin/kill -HUP $MAINPID",
                "reload",
                "",
                "left",
            ),
            (
                "ExecStart=\nExecStart=/bin/web $OPTS\nExecReload=/bin/kill -HUP $MAINPID",
                "reload",
                "\"SIGHUP\"",
                "carried",
            ),
        ] {
            let text = format!("[Service]\nExecStart=/bin/web\n{lines}\n");
            let found = import(&[source("/x/web.service", &text)]);
            assert_eq!(key(&found.targets[0], wanted), value, "{lines}");
            let note = found.notes.last().unwrap();
            assert_eq!(word(&note.fate), fate, "{lines}: {note:?}");
        }
    }

    #[test]
    fn what_comes_first_is_waited_for() {
        let app = "[Unit]\nDescription=App\nAfter=network.target db.service\nRequires=db.service\n\
                   [Service]\nExecStart=/bin/app\n[Install]\nWantedBy=multi-user.target\n";
        let found = import(&[
            source("db.service", "[Service]\nExecStart=/bin/db\n"),
            source("app.service", app),
            source(
                "pre.service",
                "[Unit]\nBefore=app.service\n[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/b\n",
            ),
        ]);
        let depends: Vec<String> = found
            .targets
            .iter()
            .map(|one| key(one, "depends_on"))
            .collect();
        assert_eq!(depends, ["", "[\"db\", \"pre\"]", ""]);
        assert_eq!(
            key(&found.targets[2], "run"),
            "[\"/bin/sh\", \"-c\", \"/bin/a && /bin/b\"]"
        );
        let fates: Vec<&str> = found.notes.iter().map(|note| word(&note.fate)).collect();
        assert_eq!(
            fates,
            [
                "carried",
                "left",
                "differently",
                "differently",
                "carried",
                "left",
                "differently",
                "differently",
                "differently",
                "differently"
            ]
        );
    }

    #[test]
    fn a_unit_that_cannot_be_run_is_a_comment() {
        for (text, says) in [
            ("[Service]\nType=simple\n", "no ExecStart"),
            ("[Service]\nExecStart=/bin/x %h\n", "cannot be carried"),
            ("[Service]\nType=forking\nExecStart=/bin/x\n", "PIDFile"),
        ] {
            let found = import(&[source("x.service", text)]);
            let off = found.targets[0].off.clone().unwrap_or_default();
            assert!(off.contains(says), "{text}: {off}");
        }
        let forks = "[Service]\nType=forking\nExecStart=/bin/x\nPIDFile=/run/x.pid\n";
        assert_eq!(import(&[source("x.service", forks)]).targets[0].off, None);
    }
}
