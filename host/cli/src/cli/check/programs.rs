//! What the config wants to start: whether the programs, their directories and their users are there.
//!
//! Warnings, for each of them may come later, and the daemon may run as somebody else and with another `PATH`.

use mainstay_daemon::{
    app::{DEFAULT_PATH, is_account},
    config::{EntityKind, Loaded, Problem},
};
use mainstay_domain::spec::{BackupSource, CheckKind, Reload, Spec};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Something that is started.
struct Start<'a> {
    /// Whose it is, for its place.
    owner: (EntityKind, &'a str),
    /// What it is, for people.
    what: String,
    run: &'a [String],
    cwd: &'a Path,
    user: Option<&'a str>,
    /// Where its environment says that programs are; none where a file may say so.
    path: Option<OsString>,
}

/// A warning for each thing that is not there.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let base = base_of(loaded);
    let own = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let users = fs::read_to_string("/etc/passwd").ok();
    let is_root = rustix::process::geteuid().is_root();
    let mut problems = Vec::new();
    let mut is_there = Cache::default();
    for start in starts(&loaded.spec, &base, &own) {
        let (kind, name) = start.owner;
        let what = &start.what;
        let mut tell = |problem| problems.push(loaded.problem_about(kind, name, problem));
        let doubt = start
            .user
            .and_then(|user| doubt_of_user(user, what, users.as_deref(), is_root));
        if let Some(doubt) = doubt {
            tell(doubt);
        }
        if !start.cwd.is_dir() {
            tell(Problem::warning(
                format!(
                    "the directory of {what} is not there: {}",
                    start.cwd.display()
                ),
                "make it, or name another with `cwd`",
            ));
            if is_sought_below(&start) {
                continue;
            }
        }
        if let Err(why) = is_there.program(&start) {
            tell(Problem::warning(
                format!("the program of {what} cannot be started: {why}"),
                "install it, name it with its whole path, or correct `PATH` in `env`",
            ));
        }
    }
    problems
}

/// Whether it depends on the directory where the program is looked for.
fn is_sought_below(start: &Start<'_>) -> bool {
    let program = start.run.first().map(String::as_str).unwrap_or_default();
    match program.contains('/') {
        true => !program.starts_with('/'),
        false => start.path.as_ref().is_some_and(|path| {
            std::env::split_paths(path).any(|directory| directory.is_relative())
        }),
    }
}

/// Why nothing may start as this user: by the accounts, where they are known, and by who looks.
fn doubt_of_user(user: &str, what: &str, users: Option<&str>, is_root: bool) -> Option<Problem> {
    if users.is_some_and(|users| !is_account(user, users)) {
        return Some(Problem::warning(
            format!("the user `{user}` of {what} is not in /etc/passwd"),
            "make the account, or name another; names of other services are not asked for",
        ));
    }
    (!is_root).then(|| {
        Problem::warning(
            format!(
                "{what} has the user `{user}`, and who runs this check is not root: only a daemon that runs as root can start it"
            ),
            "run the daemon as root, as the unit of systemd does, or remove `user`",
        )
    })
}

/// Where the commands of foreign services run.
fn base_of(loaded: &Loaded) -> PathBuf {
    let file = loaded.files.first().map(PathBuf::as_path);
    let file = std::path::absolute(file.unwrap_or(Path::new("."))).unwrap_or_default();
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

/// The `PATH` that a program gets.
fn path_of(env: &BTreeMap<String, String>, own: &OsStr) -> OsString {
    env.get("PATH")
        .map_or_else(|| own.to_owned(), OsString::from)
}

fn starts<'a>(spec: &'a Spec, base: &'a Path, own: &OsStr) -> Vec<Start<'a>> {
    let mut starts = Vec::new();
    for target in &spec.targets {
        let name = target.name.as_str();
        let owner = (EntityKind::Target, name);
        if let Some(process) = &target.process {
            let path = match &process.env_file {
                Some(_) if !process.env.contains_key("PATH") => None,
                _ => Some(path_of(&process.env, own)),
            };
            let before = process.before_start.as_ref();
            let before = before.map(|before| (before.run.as_slice(), "`before_start` of target"));
            let reload = match &process.reload {
                Some(Reload::Run(run)) => Some((run.as_slice(), "`reload` of target")),
                Some(Reload::Signal(_)) | None => None,
            };
            let own = Some((process.run.as_slice(), "target"));
            for (run, kind) in own.into_iter().chain(before).chain(reload) {
                starts.push(Start {
                    owner,
                    what: format!("{kind} `{name}`"),
                    run,
                    cwd: &process.cwd,
                    user: process.user.as_deref(),
                    path: path.clone(),
                });
            }
        }
        let commands = &target.commands;
        let named = [
            ("start", &commands.start),
            ("stop", &commands.stop),
            ("restart", &commands.restart),
            ("reload", &commands.reload),
        ];
        for (key, run) in named {
            if let Some(run) = run {
                starts.push(Start {
                    owner,
                    what: format!("`commands.{key}` of target `{name}`"),
                    run,
                    cwd: base,
                    user: commands.run_as.user.as_deref(),
                    path: Some(path_of(&commands.run_as.env, own)),
                });
            }
        }
        for check in &target.checks {
            if let CheckKind::Exec(exec) = &check.kind {
                starts.push(Start {
                    owner,
                    what: format!("check `{}` of target `{name}`", check.name),
                    run: &exec.run,
                    cwd: &exec.cwd,
                    user: exec.user.as_deref(),
                    path: Some(path_of(&exec.env, own)),
                });
            }
        }
    }
    for (name, command) in &spec.commands {
        starts.push(Start {
            owner: (EntityKind::Command, name.as_str()),
            what: format!("command `{name}`"),
            run: &command.run,
            cwd: &command.cwd,
            user: command.user.as_deref(),
            path: Some(path_of(&command.env, own)),
        });
    }
    for job in &spec.jobs {
        for source in &job.sources {
            if let BackupSource::Command {
                run,
                cwd,
                run_as,
                key,
                ..
            } = source
            {
                starts.push(Start {
                    owner: (EntityKind::Job, job.name.as_str()),
                    what: format!("the source `{key}` of job `{}`", job.name),
                    run,
                    cwd,
                    user: run_as.user.as_deref(),
                    path: Some(path_of(&run_as.env, own)),
                });
            }
        }
    }
    starts
}

/// What was found of programs that are looked for again and again.
#[derive(Default)]
struct Cache {
    found: BTreeMap<(OsString, PathBuf), Result<(), String>>,
}

impl Cache {
    fn program(&mut self, start: &Start<'_>) -> Result<(), String> {
        let Some(program) = start.run.first() else {
            return Ok(());
        };
        if program.contains('/') {
            return executable(&start.cwd.join(program));
        }
        let Some(path) = &start.path else {
            return Ok(());
        };
        let is_relative = std::env::split_paths(path).any(|directory| directory.is_relative());
        let cwd = match is_relative {
            true => start.cwd.to_owned(),
            false => PathBuf::new(),
        };
        let mut key = OsString::from(program);
        // No name of a program holds a NUL.
        key.push("\0");
        key.push(path);
        let found = self.found.entry((key, cwd));
        let look = || in_path(program, path, start.cwd);
        found.or_insert_with(look).clone()
    }
}

/// Whether a program is in one of the directories; else why not.
fn in_path(program: &str, path: &OsStr, cwd: &Path) -> Result<(), String> {
    let mut why = format!("`{program}` is in none of {}", path.display());
    for directory in std::env::split_paths(path) {
        let place = cwd.join(directory).join(program);
        match executable(&place) {
            Ok(()) => return Ok(()),
            Err(error) if place.exists() => why = error,
            Err(_) => {}
        }
    }
    Err(why)
}

fn executable(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(format!("{shown} is no file")),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Err(format!("{shown} may be executed by nobody"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::loaded, *};

    #[test]
    fn each_program_that_a_target_names_is_looked_for() {
        let (_directory, loaded) = loaded(
            "[[target]]\nname = \"own\"\nrun = [\"/no/a\"]\nbefore_start = { run = [\"/no/b\"] }\nreload = [\"/no/c\"]\n\
             [[target]]\nname = \"other\"\n[target.commands]\nstart = [\"/no/d\"]\nstop = [\"/no/e\"]\nrestart = [\"/no/f\"]\n\
             reload = [\"/no/g\"]\n",
        );
        let found = starts(&loaded.spec, Path::new("/"), OsStr::new("/bin"));
        let programs: Vec<&str> = found.iter().map(|start| start.run[0].as_str()).collect();
        assert_eq!(
            programs,
            [
                "/no/a", "/no/b", "/no/c", "/no/d", "/no/e", "/no/f", "/no/g"
            ]
        );
        assert_eq!(problems(&loaded).len(), programs.len());
    }

    #[test]
    fn a_program_is_looked_for_also_where_its_directory_is_missing() {
        for (program, expected) in [
            ("/no/a", 2),
            ("no-such-program", 2),
            ("/bin/sh", 1),
            // Where it would be is not there, and that is said.
            ("./a", 1),
        ] {
            let (_directory, loaded) = loaded(&format!(
                "[[target]]\nname = \"own\"\ncwd = \"/no/dir\"\nrun = [\"{program}\"]\nenv = {{ PATH = \"/bin\" }}\n"
            ));
            assert_eq!(problems(&loaded).len(), expected, "{program}");
        }
    }

    #[test]
    fn a_program_is_looked_for_where_its_start_will_look() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["bin", "srv", "srv/tools"] {
            fs::create_dir(at(name)).unwrap();
        }
        let put = |name: &str, mode: u32| {
            fs::write(at(name), "").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        put("bin/good", 0o755);
        put("bin/plain", 0o644);
        put("srv/here", 0o755);
        put("srv/tools/tool", 0o755);
        let path = OsString::from(format!("{}:tools", at("bin").display()));
        let whole = at("bin/good").display().to_string();
        let (cwd, mut cache) = (at("srv"), Cache::default());
        for (program, expected) in [
            ("good", Ok(())),
            ("tool", Ok(())),
            ("./here", Ok(())),
            ("tools/tool", Ok(())),
            (whole.as_str(), Ok(())),
            ("plain", Err("may be executed by nobody")),
            ("missing", Err("`missing` is in none of ")),
            ("./good", Err("No such file")),
            ("./tools", Err("is no file")),
            ("/nowhere/x", Err("No such file")),
        ] {
            let run = [program.to_owned()];
            let start = Start {
                owner: (EntityKind::Target, "t"),
                what: String::new(),
                run: &run,
                cwd: &cwd,
                user: None,
                path: Some(path.clone()),
            };
            for _ in 0..2 {
                match (cache.program(&start), expected) {
                    (Ok(()), Ok(())) => {}
                    (Err(why), Err(says)) => assert!(why.contains(says), "{program}: {why}"),
                    (found, _) => panic!("{program}: {found:?}, not {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn a_user_is_one_that_is_there_and_that_a_daemon_as_root_can_take() {
        let users = "root:x:0:0:root:/root:/bin/sh\n";
        for (user, users, is_root, expected) in [
            ("root", Some(users), true, None),
            (
                "root",
                Some(users),
                false,
                Some("only a daemon that runs as root"),
            ),
            ("root", None, false, Some("only a daemon that runs as root")),
            ("web", None, true, None),
            ("web", Some(users), true, Some("is not in /etc/passwd")),
            ("web", Some(users), false, Some("is not in /etc/passwd")),
        ] {
            let found = doubt_of_user(user, "target `t`", users, is_root);
            let found = found.map(|problem| (problem.is_error(), problem.message));
            match (found, expected) {
                (None, None) => {}
                (Some((false, message)), Some(says)) => {
                    assert!(message.contains(says), "{message}");
                }
                (found, _) => panic!("{user} {is_root}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_user_is_a_line_of_the_accounts() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/false\nbad:x:no:1::/:\nshort:x:7\n";
        for (name, expected) in [
            ("root", true),
            ("web", true),
            ("bad", false),
            ("short", false),
            ("0", false),
            ("", false),
            ("nobody-here", false),
        ] {
            assert_eq!(is_account(name, users), expected, "{name}");
        }
    }
}
