//! Targets out of the programs of supervisord (`supervisord.conf` and the files that it includes).
//!
//! Length: what becomes of each key of a program is one table.

use super::{
    Source,
    draft::{self, Draft, Fate, Imported, Note, name_of},
    entries::{Entry, Syntax, entries},
    words::{LONGEST, bytes, shortest, umask, variables, words},
};
use mainstay_domain::spec::TargetSpec;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use toml::Value;

/// The most processes of one program.
const MOST: u32 = 1_000;
/// Where a program says nothing.
const PRIORITY: u32 = 999;
/// The most targets that one with a later priority waits for.
const MOST_WAITED_FOR: usize = 16;
const ONE_LOG: &str = "both outputs go into one log, `logs/NAME.log` in the state directory";

/// What the files give, in their order.
pub(super) fn import(sources: &[Source]) -> Imported {
    let read = sources.iter().map(|source| {
        let rows = entries(&source.text, Syntax::Supervisord);
        (source, rows)
    });
    let read: Vec<(&Source, Vec<Entry>)> = read.collect();
    let priorities = priorities(read.iter().flat_map(|(_, rows)| rows));
    let ranks = ranks(&priorities);
    let mut imported = Imported::default();
    for (source, rows) in &read {
        let mut known = BTreeSet::new();
        let sections = rows.iter().map(|row| row.section.as_str());
        let sections: Vec<&str> = sections.filter(|section| known.insert(*section)).collect();
        let mut notes = Vec::new();
        for section in sections {
            let rows: Vec<&Entry> = rows.iter().filter(|row| row.section == section).collect();
            let fates = match section.strip_prefix("program:") {
                Some(name) => {
                    let program = Program {
                        name: name.trim(),
                        here: &source.directory,
                        rows: &rows,
                        rank: ranks.get(name.trim()).copied(),
                    };
                    let (targets, fates) = program.import();
                    imported.targets.extend(targets);
                    fates
                }
                None => rows.iter().map(|row| outside(section, row)).collect(),
            };
            notes.extend(rows.iter().zip(fates).map(|(row, fate)| Note {
                file: source.file.clone(),
                line: row.line,
                text: row.text(),
                fate,
            }));
        }
        notes.sort_by_key(|note| note.line);
        imported.notes.extend(notes);
    }
    // What a target waits for is named as it is called in the end.
    draft::tell_apart(&mut imported.targets);
    wait(&mut imported.targets, &priorities);
    imported
}

/// Has each target wait for those of the priority before its own, as supervisord starts them one after the other.
fn wait(targets: &mut [Draft], priorities: &BTreeMap<String, u32>) {
    let mut levels: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for target in targets.iter().filter(|target| target.off.is_none()) {
        if let Some(priority) = priority_of(target, priorities) {
            levels
                .entry(priority)
                .or_default()
                .push(target.name.clone());
        }
    }
    for target in targets {
        let Some(priority) = priority_of(target, priorities) else {
            continue;
        };
        let before = levels.range(..priority).next_back();
        if let Some((_, first)) = before.filter(|(_, first)| first.len() <= MOST_WAITED_FOR) {
            target.set("depends_on", first.clone());
        }
    }
}

fn priority_of(target: &Draft, priorities: &BTreeMap<String, u32>) -> Option<u32> {
    let program = target.origin.strip_prefix("program:")?;
    priorities.get(program).copied()
}

/// A line that belongs to no program.
fn outside(section: &str, row: &Entry) -> Fate {
    if let Some(why) = row.why_nothing() {
        return Fate::left(why);
    }
    let key = row.key.as_str();
    let kind = section.split(':').next().unwrap_or_default();
    Fate::left(match kind {
        "include" => "name the included files beside this one",
        "group" => "there are no groups of targets",
        "eventlistener" => "alerts go to plugins, and programs follow `mainstay events`",
        "fcgi-program" => {
            "the host opens no sockets for its children; let the program listen itself"
        }
        "unix_http_server" | "inet_http_server" | "supervisorctl" | "rpcinterface" => {
            "the host has an API of its own: a socket in its state directory, and `host.api`"
        }
        "supervisord" if ["environment", "umask"].contains(&key) => {
            "all programs have it from supervisord; write it into each target"
        }
        "supervisord" => "it is about supervisord itself; the host's own keys are in [host]",
        _ => "it is in no section that names a program",
    })
}

/// The priority of each program, where one of them says its own.
fn priorities<'a>(rows: impl Iterator<Item = &'a Entry>) -> BTreeMap<String, u32> {
    let mut priorities = BTreeMap::new();
    let mut is_said = false;
    for row in rows {
        let Some(name) = row.section.strip_prefix("program:") else {
            continue;
        };
        let known = priorities.entry(name.trim().to_owned()).or_insert(PRIORITY);
        if row.key == "priority" {
            is_said = true;
            *known = row.value.parse().unwrap_or(PRIORITY);
        }
    }
    if !is_said {
        priorities.clear();
    }
    priorities
}

/// Which rank each of them has, from 1.
fn ranks(priorities: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let all: BTreeSet<u32> = priorities.values().copied().collect();
    let rank = |priority: u32| (1..=10).zip(&all).find(|(_, one)| **one == priority);
    let ranked = priorities.iter();
    ranked
        .map(|(name, priority)| (name.clone(), rank(*priority).map_or(10, |(rank, _)| rank)))
        .collect()
}

/// One program.
struct Program<'a> {
    name: &'a str,
    /// The directory of the file.
    here: &'a str,
    rows: &'a [&'a Entry],
    rank: Option<u32>,
}

impl Program<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        let mut rows = self.rows.iter().rev();
        let row = rows.find(|row| row.key == key)?;
        Some(row.value.as_str())
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.value(key)?.parse().ok()
    }

    /// Whether an end is what is expected of it.
    fn runs_once(&self) -> bool {
        let restart = self.value("autorestart").map(str::to_lowercase);
        match restart.as_deref() {
            Some("true" | "yes" | "on" | "1") => false,
            Some("unexpected") | None => self.value("exitcodes").is_some(),
            Some(_) => true,
        }
    }

    /// A target for each of its processes, and what became of each line.
    fn import(&self) -> (Vec<Draft>, Vec<Fate>) {
        if self.value("command").is_none() {
            let why = || Fate::left("the program has no `command`");
            return (Vec::new(), self.rows.iter().map(|_| why()).collect());
        }
        let count = self.number("numprocs").unwrap_or(1).clamp(1, MOST);
        let first = self.number("numprocs_start").unwrap_or(0);
        let (mut targets, mut fates) = (Vec::new(), Vec::new());
        for number in first..first.saturating_add(count) {
            let label = self.value("process_name").unwrap_or("%(program_name)s");
            let label = self.expand(label, number);
            let label = label.unwrap_or_else(|_| self.name.to_owned());
            let mut draft = Draft::new(self.target(&label), format!("program:{}", self.name));
            if let Some(rank) = self.rank {
                draft.set("priority", i64::from(rank));
            }
            // supervisord's own default.
            draft.set("restart", "on-failure");
            let carried = self.rows.iter().enumerate().map(|(at, row)| {
                let mut later = self.rows.iter().skip(at + 1);
                match later.any(|later| !row.key.is_empty() && later.key == row.key) {
                    true => Fate::left("a later line says it otherwise"),
                    false => self.carry(&mut draft, row, number),
                }
            });
            let carried: Vec<Fate> = carried.collect();
            if number == first {
                fates = carried;
            }
            targets.push(draft);
        }
        (targets, fates)
    }

    /// What the target of a process is called. A number alone says something only beside the name of its program, as
    /// supervisord shows them: `worker:0`.
    fn target(&self, label: &str) -> String {
        let is_number = !label.contains(|c: char| c.is_ascii_alphabetic());
        match is_number && label != self.name {
            true => name_of(&format!("{}-{label}", self.name)),
            false => name_of(label),
        }
    }

    /// What becomes of the variables of a line, each for itself.
    fn environment(&self, draft: &mut Draft, value: &str, number: u32) -> Fate {
        let pairs = match variables(value, true) {
            Ok(pairs) => pairs,
            Err(why) => return Fate::Left(why),
        };
        let (mut found, mut left) = (Vec::new(), Vec::new());
        for (name, value) in pairs {
            match self.expand(&value, number) {
                Ok(value) => found.push((name, value)),
                Err(why) => left.push(format!("`{name}`: {why}")),
            }
        }
        draft.carry_env(found, &left)
    }

    /// Takes a line over into the target.
    fn carry(&self, draft: &mut Draft, row: &Entry, number: u32) -> Fate {
        if row.key == "environment" {
            return self.environment(draft, &row.value, number);
        }
        let value = match self.expand(&row.value, number) {
            Ok(value) => value,
            Err(why) => {
                if row.key == "command" {
                    draft.off = Some(format!("its command: {why}"));
                }
                return Fate::Left(why);
            }
        };
        if value.is_empty() && row.key != "command" {
            return Fate::left("it is empty");
        }
        let is_yes = ["true", "yes", "on", "1"].contains(&value.to_lowercase().as_str());
        let seconds = value.parse::<u32>().ok();
        let seconds = seconds.filter(|seconds| u64::from(*seconds) * 1_000 <= LONGEST);
        match row.key.as_str() {
            "command" => match words(&value) {
                Ok(run) if !run.is_empty() => draft.set("run", run),
                Ok(_) => {
                    draft.off = Some("its command is empty".to_owned());
                    return Fate::left("it is empty");
                }
                Err(why) => {
                    draft.off = Some(format!("its command: {why}"));
                    return Fate::Left(why);
                }
            },
            "process_name" => {
                return Fate::differently(format!("the target is called {}", draft.name));
            }
            "numprocs" => return self.count(draft, &value),
            "numprocs_start" if seconds.is_none() => return Fate::left("it is no number"),
            "numprocs_start" => {}
            "autostart" if is_yes => {}
            "autostart" => {
                draft.off =
                    Some("autostart is false, and the host starts what has `run`".to_owned());
                return Fate::differently("the target is written as a comment");
            }
            "autorestart" => return self.restart(draft, &value, is_yes),
            "exitcodes" => return self.exit_codes(draft, &value),
            "startsecs" => {
                let Some(seconds) = seconds else {
                    return Fate::left("it is no whole number of seconds of at most ten years");
                };
                // What waits for it would wait no longer than this.
                if seconds == 0
                    || (self.runs_once()
                        && Duration::from_secs(seconds.into()) < TargetSpec::START_PERIOD)
                {
                    return Fate::differently(
                        "by the default of `start_period`, 10s: what depends on it waits until it works or, where it runs \
                         once, is done, and no longer than that; write more where it takes more",
                    );
                }
                draft.set("start_period", format!("{seconds}s"));
                return Fate::differently(
                    "as `start_period`, in which a failing check is no failure; an exit is one at once",
                );
            }
            "startretries" => {
                return Fate::left(
                    "how often is `max_attempts` of the route's `strategy`, 5 by default",
                );
            }
            "stopsignal" => return stop_signal(draft, &value),
            "stopwaitsecs" => match seconds {
                Some(seconds) => draft.set("grace", format!("{seconds}s")),
                None => return Fate::left("it is no whole number of seconds of at most ten years"),
            },
            "stopasgroup" | "killasgroup" if is_yes => {}
            "stopasgroup" | "killasgroup" => {
                return Fate::differently("the host always ends the whole process group");
            }
            "user" => draft.set("user", value),
            "directory" => {
                let is_whole = value.starts_with('/');
                draft.set("cwd", value);
                if !is_whole {
                    return Fate::differently(
                        "from the directory of the config on, not from the one that supervisord is started in",
                    );
                }
            }
            "umask" => match umask(&value) {
                Some(mask) => draft.set("umask", mask),
                None => return Fate::left("`umask` is in octal digits, 777 at most"),
            },
            "priority" => {
                let rank = self.rank.unwrap_or(5);
                return Fate::differently(format!(
                    "by `depends_on`, starts wait for the targets of the priority before theirs, where these are at most \
                     {MOST_WAITED_FOR}; by `priority = {rank}`, recoveries have the same order"
                ));
            }
            "redirect_stderr" if is_yes => {}
            "redirect_stderr" | "stdout_logfile" | "stderr_logfile" => {
                return Fate::differently(ONE_LOG);
            }
            "stdout_logfile_maxbytes" => {
                let size = bytes(&value).filter(|size| (1_024..=1 << 40).contains(size));
                let Some(size) = size else {
                    return Fate::left(
                        "a log is rotated at a size from 1KiB to 1024GiB; 10MiB by default",
                    );
                };
                set_log(draft, "max_bytes", Value::from(shortest(size)));
            }
            "stdout_logfile_backups" => match seconds.filter(|count| *count <= 1_000) {
                Some(count) => set_log(draft, "keep", Value::from(i64::from(count))),
                None => return Fate::left("at most 1000 rotated files are kept"),
            },
            "stderr_logfile_maxbytes" | "stderr_logfile_backups" => return Fate::left(ONE_LOG),
            "" => return Fate::left("it is neither a key nor a section"),
            _ => return Fate::left("the host has nothing like it"),
        }
        Fate::Carried
    }

    /// How many processes there are.
    fn count(&self, draft: &mut Draft, value: &str) -> Fate {
        match value.parse::<u32>() {
            Err(_) => Fate::left("it is no number; the target is one"),
            Ok(0) => {
                draft.off = Some("numprocs is 0".to_owned());
                Fate::differently("the target is written as a comment")
            }
            Ok(1) => Fate::Carried,
            Ok(count) if count > MOST => Fate::differently(format!(
                "a target for each of the first {MOST}, with a number in its name"
            )),
            Ok(_) => Fate::differently("a target for each, with a number in its name"),
        }
    }

    fn restart(&self, draft: &mut Draft, value: &str, is_yes: bool) -> Fate {
        match value {
            _ if is_yes => draft.set("restart", "always"),
            "unexpected" => draft.set("restart", "on-failure"),
            _ => {
                draft.set("restart", "never");
                return Fate::differently(
                    "an unexpected exit is an incident that only a person recovers",
                );
            }
        }
        Fate::Carried
    }

    fn exit_codes(&self, draft: &mut Draft, value: &str) -> Fate {
        let restart = self.value("autorestart").unwrap_or_default().to_lowercase();
        if ["true", "yes", "on", "1"].contains(&restart.as_str()) {
            return Fate::left("with autorestart=true every exit is restarted");
        }
        let codes = value.split(',').map(|code| code.trim().parse::<u8>());
        match codes.collect::<Result<Vec<u8>, _>>() {
            Ok(codes) => {
                let codes: Vec<i64> = codes.into_iter().map(i64::from).collect();
                draft.set("expected_exit", codes);
                Fate::Carried
            }
            Err(_) => Fate::left("they are not numbers from 0 to 255"),
        }
    }

    /// The text with what supervisord puts into it.
    fn expand(&self, text: &str, number: u32) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                expanded.push('%');
                rest = after;
                continue;
            }
            let named = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(')'));
            let (name, after) = named.ok_or("a `%` is followed by neither `%` nor `(NAME)`")?;
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let (width, after) = after.split_at(digits);
            let after = after.strip_prefix(['s', 'd']);
            rest = after.ok_or_else(|| format!("`%({name})` has neither `s` nor `d` after it"))?;
            let width = width.parse().unwrap_or(0);
            match name {
                "program_name" | "group_name" => expanded.push_str(self.name),
                "process_num" => expanded.push_str(&format!("{number:0>width$}")),
                "here" => expanded.push_str(self.here),
                _ => {
                    return Err(format!(
                        "only supervisord knows `%({name})s`: write its value"
                    ));
                }
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// What asks a target to end.
pub(super) fn stop_signal(draft: &mut Draft, value: &str) -> Fate {
    let upper = value.to_uppercase();
    let name = match upper.strip_prefix("SIG").unwrap_or(&upper) {
        "1" => "HUP",
        "2" => "INT",
        "3" => "QUIT",
        "10" => "USR1",
        "12" => "USR2",
        "15" => "TERM",
        name => name,
    };
    if !["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"].contains(&name) {
        return Fate::left(
            "a target is asked with SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 or SIGUSR2, and killed after `grace`",
        );
    }
    draft.set("stop_signal", format!("SIG{name}"));
    Fate::Carried
}

fn set_log(draft: &mut Draft, key: &str, value: Value) {
    let mut log = match draft.get("log") {
        Some(Value::Table(log)) => log.clone(),
        _ => toml::Table::new(),
    };
    log.insert(key.to_owned(), value);
    draft.set("log", log);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(text: &str) -> Imported {
        import(&[Source {
            file: "s.conf".to_owned(),
            directory: "/srv".to_owned(),
            text: text.to_owned(),
            ..Source::default()
        }])
    }

    fn key(draft: &Draft, key: &str) -> String {
        draft.get(key).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn each_line_of_a_program_is_carried_carried_differently_or_left() {
        for (line, wanted, value, fate) in [
            ("directory=/srv/web", "cwd", "\"/srv/web\"", "carried"),
            ("user=www-data", "user", "\"www-data\"", "carried"),
            ("umask=027", "umask", "\"027\"", "carried"),
            ("umask=abc", "umask", "", "left"),
            ("umask=7777", "umask", "", "left"),
            ("user=", "user", "", "left"),
            ("directory=app", "cwd", "\"app\"", "differently"),
            ("numprocs=x", "numprocs", "", "left"),
            ("numprocs=1", "numprocs", "", "carried"),
            ("stopsignal=15", "stop_signal", "\"SIGTERM\"", "carried"),
            ("stopsignal=9", "stop_signal", "", "left"),
            ("autorestart=true", "restart", "\"always\"", "carried"),
            (
                "autorestart=unexpected",
                "restart",
                "\"on-failure\"",
                "carried",
            ),
            ("autorestart=false", "restart", "\"never\"", "differently"),
            ("exitcodes=0,2", "expected_exit", "[0, 2]", "carried"),
            ("exitcodes=x", "expected_exit", "", "left"),
            ("startsecs=5", "start_period", "\"5s\"", "differently"),
            ("startsecs=0", "start_period", "", "differently"),
            ("startsecs=x", "start_period", "", "left"),
            ("startsecs=4000000000", "start_period", "", "left"),
            ("stdout_logfile_maxbytes=2TB", "log", "", "left"),
            ("startretries=9", "strategy", "", "left"),
            ("stopsignal=INT", "stop_signal", "\"SIGINT\"", "carried"),
            ("stopsignal=QUIT", "stop_signal", "\"SIGQUIT\"", "carried"),
            ("stopsignal=KILL", "stop_signal", "", "left"),
            ("stopwaitsecs=30", "grace", "\"30s\"", "carried"),
            ("stopwaitsecs=0", "grace", "\"0s\"", "carried"),
            ("stopwaitsecs=x", "grace", "", "left"),
            ("priority=10", "priority", "1", "differently"),
            (
                "environment=A=\"1,2\",B=%(program_name)s",
                "env",
                "{ A = \"1,2\", B = \"web\" }",
                "carried",
            ),
            ("environment=A=%(ENV_HOME)s", "env", "", "left"),
            (
                "environment=KEY=\"1,2\",HOME=\"%(ENV_HOME)s/x\",PATH=\"/bin\"",
                "env",
                "{ KEY = \"1,2\", PATH = \"/bin\" }",
                "differently",
            ),
            (
                "stdout_logfile_maxbytes=50MB",
                "log",
                "{ max_bytes = \"50MiB\" }",
                "carried",
            ),
            ("stdout_logfile_backups=7", "log", "{ keep = 7 }", "carried"),
            ("stdout_logfile=/var/log/web.log", "log", "", "differently"),
            ("redirect_stderr=true", "log", "", "carried"),
            ("stopasgroup=true", "grace", "", "carried"),
            ("stdout_events_enabled=true", "events", "", "left"),
            ("nonsense", "nonsense", "", "left"),
        ] {
            let found = imported(&format!("[program:web]\ncommand=/bin/web --x\n{line}\n"));
            let [target] = found.targets.as_slice() else {
                panic!("{line}: {found:?}")
            };
            assert_eq!(key(target, wanted), value, "{line}");
            assert_eq!(key(target, "run"), "[\"/bin/web\", \"--x\"]");
            let [_, note] = found.notes.as_slice() else {
                panic!("{line}: {found:?}")
            };
            let of = match &note.fate {
                Fate::Carried => "carried",
                Fate::Differently(_) => "differently",
                Fate::Left(_) => "left",
            };
            assert_eq!((of, note.line), (fate, 3), "{line}: {note:?}");
        }
    }

    #[test]
    fn a_line_that_is_said_again_is_listed_and_the_last_one_counts() {
        let found = imported(
            "[program:web]\ncommand=old\nuser=a\nenvironment=A=1\n[supervisord]\nlogfile=/x\n\
             [program:web]\ncommand=new\nenvironment=B=2\n",
        );
        let target = &found.targets[0];
        assert_eq!(key(target, "run"), "[\"new\"]");
        assert_eq!(key(target, "env"), "{ B = \"2\" }");
        assert_eq!(key(target, "user"), "\"a\"");
        let left = found.notes.iter();
        let left = left.filter(|note| matches!(note.fate, Fate::Left(_)));
        let left: Vec<usize> = left.map(|note| note.line).collect();
        assert_eq!(left, [2, 4, 6]);
    }

    #[test]
    fn a_count_that_is_not_carried_as_it_is_says_so() {
        for (count, targets, says) in [
            ("0", 1, "as a comment"),
            ("2", 2, "a target for each, with"),
            ("5000", 1_000, "each of the first 1000"),
        ] {
            let found = imported(&format!("[program:web]\ncommand=w\nnumprocs={count}\n"));
            assert_eq!(found.targets.len(), targets, "{count}");
            assert_eq!(found.targets[0].off.is_some(), count == "0", "{count}");
            let Fate::Differently(how) = &found.notes[1].fate else {
                panic!("{count}: {found:?}")
            };
            assert!(how.contains(says), "{count}: {how}");
        }
    }

    #[test]
    fn what_waits_for_a_program_that_runs_once_is_not_let_go_before_its_end() {
        for (keys, expected) in [
            ("autorestart=false\nstartsecs=0", ""),
            ("startsecs=1\nautorestart=false", ""),
            ("startsecs=1\nexitcodes=0", ""),
            ("startsecs=60\nautorestart=false", "\"60s\""),
            ("startsecs=1\nautorestart=true\nexitcodes=0", "\"1s\""),
            ("startsecs=1", "\"1s\""),
        ] {
            let found = imported(&format!("[program:migrate]\ncommand=m\n{keys}\n"));
            assert_eq!(key(&found.targets[0], "start_period"), expected, "{keys}");
        }
    }

    #[test]
    fn three_processes_are_three_targets() {
        let found = imported(
            "[program:worker]\ncommand=work --id %(process_num)d --dir %(here)s\n\
             process_name=%(program_name)s_%(process_num)02d\nnumprocs=3\nnumprocs_start=1\n",
        );
        let names: Vec<&str> = found.targets.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["worker-01", "worker-02", "worker-03"]);
        assert_eq!(
            key(&found.targets[2], "run"),
            "[\"work\", \"--id\", \"3\", \"--dir\", \"/srv\"]"
        );
        assert_eq!(found.notes.len(), 4);
    }

    #[test]
    fn a_process_that_is_called_by_a_number_has_the_name_of_its_program_before_it() {
        for (label, expected) in [
            ("%(process_num)d", ["worker-0", "worker-1"]),
            ("%(process_num)02d", ["worker-00", "worker-01"]),
            ("w%(process_num)d", ["w0", "w1"]),
        ] {
            let found = imported(&format!(
                "[program:worker]\ncommand=work\nprocess_name={label}\nnumprocs=2\n"
            ));
            let names: Vec<&str> = found.targets.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, expected, "{label}");
        }
    }

    #[test]
    fn a_start_waits_for_those_of_the_priority_before() {
        let found = imported(
            "[program:last]\ncommand=a\n[program:web]\ncommand=b\npriority=20\nnumprocs=2\n\
             [program:off]\ncommand=c\npriority=15\nautostart=false\n[program:db]\ncommand=d\npriority=10\n",
        );
        let waits: Vec<(&str, String)> = found
            .targets
            .iter()
            .map(|one| (one.name.as_str(), key(one, "depends_on")))
            .collect();
        let expected = [
            ("last", "[\"web\", \"web-2\"]"),
            ("web", "[\"db\"]"),
            ("web-2", "[\"db\"]"),
            ("off", "[\"db\"]"),
            ("db", ""),
        ];
        assert_eq!(
            waits,
            expected.map(|(name, waits)| (name, waits.to_owned()))
        );
        let none = imported("[program:a]\ncommand=a\n[program:b]\ncommand=b\n");
        assert!(
            none.targets
                .iter()
                .all(|one| one.get("depends_on").is_none())
        );
        let many = imported(
            "[program:many]\ncommand=a\npriority=1\nnumprocs=40\n[program:b]\ncommand=b\n",
        );
        assert_eq!(key(&many.targets[40], "depends_on"), "");
    }

    #[test]
    fn what_is_not_started_is_a_comment_and_what_is_no_program_is_listed() {
        let found = imported(
            "[supervisord]\nlogfile=/x\n[program:a]\ncommand=a\nautostart=false\n[program:b]\npriority=1\n\
             [group:g]\nprograms=a,b\n[program:c]\ncommand=c %(ENV_X)s\n",
        );
        let names: Vec<&str> = found.targets.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert!(found.targets.iter().all(|target| target.off.is_some()));
        let lines: Vec<usize> = found.notes.iter().map(|note| note.line).collect();
        assert_eq!(lines, [2, 4, 5, 7, 9, 11]);
        let left = found
            .notes
            .iter()
            .filter(|note| matches!(note.fate, Fate::Left(_)));
        assert_eq!(left.count(), 4);
    }

    #[test]
    fn what_all_programs_have_from_supervisord_is_told_as_such() {
        let found =
            imported("[supervisord]\nenvironment=A=1\nnodaemon=true\n[program:a]\ncommand=a\n");
        let of_all = found.notes.iter().map(|note| match &note.fate {
            Fate::Left(why) => why.contains("write it into each target"),
            _ => false,
        });
        assert_eq!(of_all.collect::<Vec<bool>>(), [true, false, false]);
    }

    #[test]
    fn priorities_become_ranks() {
        let found = imported(
            "[program:a]\ncommand=a\npriority=100\n[program:b]\ncommand=b\n[program:c]\ncommand=c\npriority=5\n",
        );
        let ranks: Vec<String> = found
            .targets
            .iter()
            .map(|one| key(one, "priority"))
            .collect();
        assert_eq!(ranks, ["2", "3", "1"]);
    }
}
