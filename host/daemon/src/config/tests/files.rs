//! Files: where the config is looked for, what `conf.d` adds, and what cannot be read.

use super::{super::*, HOST};
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

fn load_in(directory: &TempDir) -> Result<Loaded, ConfigErrors> {
    load(&directory.path().join("mainstay.toml"))
}

/// What is said about these files, with the directory left out.
fn complaint(files: &[(&str, &[u8])]) -> String {
    let directory = directory(files);
    let text = load_in(&directory).unwrap_err().to_string();
    text.replace(directory.path().to_str().unwrap(), "DIR")
}

#[test]
fn files_of_conf_d_add_up_in_the_order_of_their_names() {
    let route = "[[route]]\nchain = [{ handler = \"h\" }]\n";
    let main = format!("{HOST}[[target]]\nname = \"a\"\n{route}[plugin.p]\ngrants.kv = \"1B\"\n");
    let first = "[[target]]\nname = \"b\"\nrun = [\"./b\"]\n[host]\nname = \"n\"\n";
    let second =
        "[[target]]\nname = \"c\"\ndepends_on = [\"a\", \"b\"]\n[plugin.p]\nlimits.effects = 2\n";
    let directory = directory(&[
        ("mainstay.toml", main.as_bytes()),
        ("conf.d/20-second.toml", second.as_bytes()),
        ("conf.d/10-first.toml", first.as_bytes()),
        ("conf.d/.hidden.toml", b"nonsense"),
        ("conf.d/README", b"nonsense"),
    ]);
    let loaded = load_in(&directory).unwrap();
    let spec = &loaded.spec;
    let names: Vec<&str> = spec
        .targets
        .iter()
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(spec.host.name, "n");
    let plugin = spec.plugins.values().next().unwrap();
    assert_eq!((plugin.grants.kv_bytes, plugin.limits.effects), (1, 2));
    let below = |name: &str| directory.path().join(name);
    assert_eq!(
        loaded.files,
        [
            below("mainstay.toml"),
            below("conf.d/10-first.toml"),
            below("conf.d/20-second.toml")
        ]
    );
    assert_eq!(spec.host.state_dir, below("state"));
    let process = spec.targets[1].process.as_ref().unwrap();
    assert_eq!(process.cwd, directory.path(), "relative to the main file");
    let all = [main.as_str(), first, second].concat();
    assert_eq!(
        spec.digest,
        blake3::hash(all.as_bytes()).to_hex().to_string()
    );
}

#[test]
fn what_is_set_in_two_files_names_both_places() {
    let host = HOST.as_bytes();
    let again = b"[host]\nstate_dir = \"other\"\n[command.c]\nrun = [\"a\"]\n";
    let other = b"[command.c]\nrun = [\"b\"]\n[[target]]\nname = \"t\"\n[[target]]\nname = \"t\"\n";
    insta::assert_snapshot!(complaint(&[
        ("mainstay.toml", host),
        ("conf.d/a.toml", again),
        ("conf.d/b.toml", other),
    ]));
}

#[test]
fn a_problem_of_a_later_file_is_placed_in_it() {
    let files: [(&str, &[u8]); 3] = [
        ("mainstay.toml", HOST.as_bytes()),
        ("conf.d/a.toml", b"[[target]]\nname = \"t\"\n"),
        (
            "conf.d/b.toml",
            b"\n[[target]]\nname = \"t\"\npriority = 0\n",
        ),
    ];
    insta::assert_snapshot!(complaint(&files));
}

#[test]
fn what_cannot_be_read_is_told() {
    insta::assert_snapshot!("missing_file", complaint(&[]));
    insta::assert_snapshot!(
        "empty_file",
        complaint(&[("mainstay.toml", b"# nothing\n")])
    );
    let latin = b"[host]\nname = \"caf\xe9\"\n";
    insta::assert_snapshot!("not_utf8", complaint(&[("mainstay.toml", latin)]));
    let a_directory: (&str, &[u8]) = ("mainstay.toml/x", b"");
    insta::assert_snapshot!("a_directory", complaint(&[a_directory]));
    let two: [(&str, &[u8]); 2] = [
        ("mainstay.toml", b"x = \xff"),
        ("conf.d/a.toml", b"y = \xff"),
    ];
    insta::assert_snapshot!("two_unreadable", complaint(&two));
}

#[test]
fn a_fifo_in_place_of_a_file_holds_nothing_up() {
    let directory = directory(&[("mainstay.toml", HOST.as_bytes()), ("conf.d/a.toml", b"")]);
    for file in ["conf.d/a.toml", "mainstay.toml"] {
        let fifo = directory.path().join(file);
        fs::remove_file(&fifo).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        let errors = load_in(&directory).unwrap_err().to_string();
        assert!(errors.contains("it is no regular file"), "{errors}");
        assert!(errors.contains(file), "{errors}");
    }
    let main = directory.path().join("mainstay.toml");
    assert_eq!(digest(&main), None);
    let why = state_dir(&main).unwrap_err().why;
    assert!(why.contains("it is no regular file"), "{why}");
}

#[test]
fn an_unreadable_conf_d_is_told() {
    let directory = directory(&[("mainstay.toml", HOST.as_bytes()), ("conf.d", b"a file")]);
    let errors = load_in(&directory).unwrap_err();
    assert!(
        errors.to_string().contains("cannot read the directory"),
        "{errors}"
    );
}

#[test]
fn a_problem_can_be_placed_where_a_thing_is_defined() {
    let text = format!("{HOST}[secrets]\nhook = {{ file = \"hook\" }}\n[plugin.web]\n");
    let directory = directory(&[("mainstay.toml", text.as_bytes())]);
    let secret = directory.path().join("hook");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = load_in(&directory).unwrap();
    let problem = Problem::error("others can read it", "chmod 600 hook");
    let placed = loaded.problem_about(EntityKind::Secret, "hook", problem.clone());
    assert_eq!((placed.line, placed.column), (Some(5), Some(1)));
    let placed = loaded.problem_about(EntityKind::Plugin, "web", problem.clone());
    assert_eq!((placed.line, placed.column), (Some(6), Some(9)));
    assert_eq!(
        loaded.problem_about(EntityKind::Plugin, "none", problem.clone()),
        problem
    );
}

#[test]
fn the_config_is_looked_for_in_the_documented_order() {
    let directory = directory(&[("second.toml", b"")]);
    let (first, second) = (
        directory.path().join("first.toml"),
        directory.path().join("second.toml"),
    );
    let usual = [first.clone(), second.clone()];
    let find = |explicit: Option<&str>, variable: Option<&str>| {
        find_among(
            explicit.map(Path::new),
            variable.map(OsString::from),
            &usual,
        )
    };
    assert_eq!(find(Some("/a"), Some("/b")), Ok("/a".into()));
    assert_eq!(find(None, Some("/b")), Ok("/b".into()));
    assert_eq!(find(None, Some("")), Ok(second.clone()));
    fs::write(&first, "").unwrap();
    assert_eq!(find(None, None), Ok(first.clone()));
    fs::remove_file(&first).unwrap();
    fs::remove_file(&second).unwrap();
    let error = find(None, None).unwrap_err();
    assert_eq!(error.looked_at, usual);
    assert!(error.to_string().contains("first.toml, "), "{error}");
}
