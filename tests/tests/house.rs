//! Keeps the house rules of ARCHITECTURE.md true: which crate may depend on which, which module of the daemon may
//! import which, what the program may use of the daemon, how long a file may be, that every module says what it is, and
//! that modules import no cycles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Files above this need a `//! Length:` line that gives the reason.
const MAX_LINES: usize = 300;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("templates") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn source_files() -> Vec<(PathBuf, String)> {
    let trees = ["host", "plugin-sdk", "plugins", "tests"];
    let files = trees.iter().flat_map(|tree| rust_files(&root().join(tree)));
    files
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The lines before the tests that stand in the file itself: a table of tests may be as long as it likes.
fn lines_without_tests(text: &str) -> usize {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next();
    code.unwrap_or_default().lines().count()
}

#[test]
fn no_file_is_long_without_a_reason() {
    let too_long: Vec<String> = source_files()
        .into_iter()
        .filter(|(path, text)| {
            let below = path.strip_prefix(root()).unwrap();
            let is_test = below
                .components()
                .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
            !is_test && lines_without_tests(text) > MAX_LINES && !text.contains("//! Length:")
        })
        .map(|(path, text)| {
            format!(
                "{} has {} lines",
                path.display(),
                lines_without_tests(&text)
            )
        })
        .collect();
    assert!(
        too_long.is_empty(),
        "split these, or give the reason in `//! Length:`:\n{}",
        too_long.join("\n")
    );
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = source_files()
        .into_iter()
        .filter(|(path, text)| {
            let is_test_module = path.file_name().is_some_and(|name| name == "tests.rs");
            !is_test_module && !text.trim_start().starts_with("//!")
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "these do not begin with `//!`:\n{}",
        silent.join("\n")
    );
}

fn dependencies(manifest: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let table = text
        .split("\n[")
        .find(|table| table.starts_with("dependencies]"))
        .unwrap_or_default();
    let names = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split(['.', '=', ' ']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_depend_one_way() {
    let check = |manifest: &str, forbidden: &[&str]| {
        let found = dependencies(manifest);
        let broken: Vec<_> = forbidden
            .iter()
            .filter(|name| found.contains(**name))
            .collect();
        assert!(
            broken.is_empty(),
            "{manifest} must not depend on {broken:?}"
        );
    };
    check(
        "host/domain/Cargo.toml",
        &[
            "tokio",
            "wasmtime",
            "mainstay",
            "mainstay-daemon",
            "mainstay-runtime",
            "mainstay-store",
            "mainstay-backup",
            "rusqlite",
            "mainstay-api",
            "mainstay-plugin-sdk",
        ],
    );
    // Whoever reads or writes the public JSON may take it without anything that makes a daemon.
    assert_eq!(
        dependencies("host/api/Cargo.toml"),
        BTreeSet::from(["mainstay-domain", "schemars", "serde", "serde_json"].map(str::to_owned))
    );
    check(
        "host/runtime/Cargo.toml",
        &[
            "mainstay",
            "mainstay-daemon",
            "mainstay-api",
            "mainstay-store",
            "mainstay-backup",
            "rusqlite",
            "axum",
            "clap",
            "mainstay-plugin-sdk",
        ],
    );
    check(
        "host/store/Cargo.toml",
        &[
            "mainstay",
            "mainstay-daemon",
            "mainstay-runtime",
            "mainstay-backup",
            "axum",
            "clap",
            "mainstay-plugin-sdk",
        ],
    );
    check(
        "host/backup/Cargo.toml",
        &[
            "mainstay",
            "mainstay-api",
            "mainstay-runtime",
            "mainstay-store",
            "axum",
            "clap",
            "mainstay-plugin-sdk",
        ],
    );
    // Whoever talks to a person is the program; the daemon logs and answers.
    check(
        "host/daemon/Cargo.toml",
        &[
            "mainstay",
            "clap",
            "clap_complete",
            "unicode-width",
            "indicatif",
            "tracing-subscriber",
            "mainstay-plugin-sdk",
            "wasmtime",
            "rusqlite",
            "zstd",
        ],
    );
    check(
        "host/cli/Cargo.toml",
        &["mainstay-plugin-sdk", "wasmtime", "rusqlite"],
    );
    let of_the_host = [
        "mainstay",
        "mainstay-daemon",
        "mainstay-domain",
        "mainstay-runtime",
        "tokio",
    ];
    check("plugin-sdk/Cargo.toml", &of_the_host);
    for plugin in fs::read_dir(root().join("plugins")).unwrap() {
        let name = plugin.unwrap().file_name().into_string().unwrap();
        check(&format!("plugins/{name}/Cargo.toml"), &of_the_host);
    }
}

#[test]
fn direct_dependencies_stay_few() {
    for name in fs::read_dir(root().join("host")).unwrap() {
        let name = name.unwrap().file_name().into_string().unwrap();
        let found = dependencies(&format!("host/{name}/Cargo.toml"));
        assert!((1..=30).contains(&found.len()), "{name}: {}", found.len());
    }
    let sdk = fs::read_to_string(root().join("plugin-sdk/Cargo.toml")).unwrap();
    let always = dependencies("plugin-sdk/Cargo.toml")
        .into_iter()
        .filter(|name| {
            let line = sdk
                .lines()
                .find(|line| line.starts_with(name.as_str()) && !line.contains("dep:"));
            !line.is_some_and(|line| line.contains("optional = true"))
        });
    assert_eq!(always.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The pure crate has no clock, no I/O and no tasks: not even from `std`.
#[test]
fn the_domain_is_pure() {
    let forbidden = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::process",
        "std::thread",
        "std::env",
        "SystemTime",
        "Instant::now",
        "tokio::",
    ];
    for (path, text) in source_files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(root().join("host/domain/src")))
    {
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let found = forbidden
            .iter()
            .find(|word| code.iter().any(|line| line.contains(**word)));
        assert!(
            found.is_none(),
            "{} uses {}",
            path.display(),
            found.unwrap()
        );
    }
}

/// The functions of a file that are no tests, each to the line before its end.
fn helpers_of(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = (0..lines.len()).filter(|place| {
        let is_test = *place > 0 && lines[place - 1].starts_with("#[test]");
        lines[*place].starts_with("fn ") && !lines[*place].ends_with('}') && !is_test
    });
    let helper = |begin: usize| {
        let lines = lines[begin..].iter().copied();
        let helper: Vec<&str> = lines.take_while(|line| *line != "}").collect();
        helper.join("\n")
    };
    begins.map(helper).collect()
}

/// A file that is not named there is compiled by nobody.
#[test]
fn every_topic_of_the_tests_is_a_module_of_their_program() {
    let tests = root().join("tests/tests");
    let program = fs::read_to_string(tests.join("main.rs")).unwrap();
    for entry in fs::read_dir(tests).unwrap() {
        let path = entry.unwrap().path();
        let topic = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|kind| kind == "rs") && topic != "main" {
            let module = format!("\nmod {topic};\n");
            assert!(program.contains(&module), "main.rs lacks `mod {topic};`");
        }
    }
}

/// What two of them need is in their library.
#[test]
fn no_helper_of_the_tests_is_written_out_in_two_files() {
    let tests = root().join("tests/tests");
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in rust_files(&tests) {
        let inside = path.strip_prefix(&tests).unwrap().display().to_string();
        for helper in helpers_of(&fs::read_to_string(&path).unwrap()) {
            places.entry(helper).or_default().insert(inside.clone());
        }
    }
    assert!(places.len() > 100, "they are found");
    places.retain(|_, files| files.len() > 1);
    assert!(
        places.is_empty(),
        "move these to tests/src, as to shorthand.rs: {places:#?}"
    );
}

/// Bytes become digits in one place; how a number is written, as that of a device, is another matter.
#[test]
fn hexadecimal_is_written_in_one_place() {
    let host = root().join("host");
    let mut writing = Vec::new();
    for (path, text) in source_files() {
        let Ok(inside) = path.strip_prefix(&host) else {
            continue;
        };
        if code_of(&text).contains("{byte:02x}") && !is_for_tests(inside) {
            writing.push(inside.display().to_string());
        }
    }
    assert_eq!(writing, ["domain/src/hex.rs"]);
}

/// They panic where nothing takes the line, and with them who logs; `console` of the program is best effort.
#[test]
fn what_runs_in_the_program_prints_with_no_macro_that_panics() {
    let macros = ["println!(", "eprintln!(", "print!(", "eprint!("];
    let sources = [
        "host/cli/src",
        "host/daemon/src",
        "host/runtime/src",
        "host/store/src",
        "host/backup/src",
    ]
    .map(|source| root().join(source));
    let found: Vec<String> = source_files()
        .into_iter()
        .filter(|(path, _)| sources.iter().any(|source| path.starts_with(source)))
        .filter(|(path, _)| {
            let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
            !path.components().any(|part| is_test(part.as_os_str()))
        })
        .filter(|(_, text)| {
            let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
            let mut code = code.filter(|line| !line.trim_start().starts_with("//"));
            code.any(|line| macros.iter().any(|name| line.contains(name)))
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(
        found.is_empty(),
        "log it, or in `host/cli` write with `console::note` or `console::print`:\n{}",
        found.join("\n")
    );
}

/// The first module of a path inside `root`, e.g. `crate::`, for every import of a text.
fn imports_of(text: &str, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for piece in text.split(root).skip(1) {
        if let Some(group) = piece.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(word.trim().split("::").next().unwrap().to_owned());
                        word.clear();
                        continue;
                    }
                    _ => {}
                }
                if depth == 0 {
                    word.push(letter);
                }
            }
            found.insert(word.trim().split("::").next().unwrap().to_owned());
        } else {
            found.insert(
                piece
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
        }
    }
    found.remove("");
    found
}

/// A file's text without the tests in it and without comments.
fn code_of(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"));
    let code: Vec<&str> = lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    code.join("\n")
}

/// Whether a path in a crate's sources is one of tests, or of what they share.
fn is_for_tests(inside: &Path) -> bool {
    let only_tests = ["tests", "testing", "fakes"];
    let inside = inside.with_extension("");
    let mut parts = inside.components();
    parts.any(|part| only_tests.iter().any(|name| part.as_os_str() == *name))
}

/// Module → modules it imports, for the top-level modules of one crate, tests and docs left out.
fn module_graph(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in rust_files(source) {
        let inside = path.strip_prefix(source).unwrap().with_extension("");
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .to_owned();
        if matches!(module.as_str(), "lib" | "main") || is_for_tests(&inside) {
            continue;
        }
        let code = code_of(&fs::read_to_string(&path).unwrap());
        let imports = graph.entry(module.clone()).or_default();
        imports.extend(
            imports_of(&code, "crate::")
                .into_iter()
                .filter(|import| *import != module),
        );
    }
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    for imports in graph.values_mut() {
        imports.retain(|import| modules.contains(import));
    }
    graph
}

fn cycle_from(start: &str, graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut stack = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = stack.pop() {
        for next in &graph[path.last().unwrap()] {
            let mut longer = path.clone();
            longer.push(next.clone());
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                stack.push(longer);
            }
        }
    }
    None
}

#[test]
fn modules_import_no_cycles() {
    for source in [
        "host/domain/src",
        "host/api/src",
        "host/runtime/src",
        "host/store/src",
        "host/backup/src",
        "host/daemon/src",
        "host/cli/src",
        "plugin-sdk/src",
    ] {
        let graph = module_graph(&root().join(source));
        for module in graph.keys() {
            let cycle = cycle_from(module, &graph);
            assert!(cycle.is_none(), "{source}: {}", cycle.unwrap().join(" → "));
        }
    }
}

#[test]
fn inside_the_daemon_only_app_joins_config_adapters_and_services() {
    let graph = module_graph(&root().join("host/daemon/src"));
    for module in ["config", "adapters", "services"] {
        let others = ["config", "adapters", "services", "app", "api"];
        let forbidden = others
            .iter()
            .filter(|other| **other != module && graph[module].contains(**other));
        assert_eq!(
            forbidden.collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "{module} imports what only app may join"
        );
    }
    assert!(
        !graph["ports"].iter().any(|import| import != "ports"),
        "ports speak domain types only: {:?}",
        graph["ports"]
    );
}

/// What the daemon knows is asked of its admin API. Its library is there to run it, to read the config, and for the name
/// of the socket, which is of `api`.
#[test]
fn only_the_command_line_uses_the_daemons_library_and_little_of_it() {
    let source = root().join("host/cli/src");
    let mut used = BTreeSet::new();
    for (path, text) in source_files() {
        let Ok(inside) = path.strip_prefix(&source) else {
            continue;
        };
        if is_for_tests(inside) {
            continue;
        }
        // The example of a log filter names a module, and imports nothing.
        let code = code_of(&text).replace("mainstay_daemon::api=", "");
        let imports = imports_of(&code, "mainstay_daemon::");
        assert!(
            imports.is_empty() || inside.starts_with("cli"),
            "{} uses the daemon's {imports:?}",
            inside.display()
        );
        used.extend(imports);
    }
    let allowed = ["api", "app", "config"].map(str::to_owned);
    assert_eq!(used, BTreeSet::from(allowed));
}

/// What a program inherits is decided in one place; see `adapters/environment.rs`. The crates that the daemon is made
/// of get a `Command` from there; the command line starts programs for a person, in no daemon.
#[test]
fn the_daemon_starts_no_program_with_an_environment_of_its_own() {
    let host = root().join("host");
    let elsewhere = ["cli", "tests", "tests.rs"];
    let mut starting = Vec::new();
    for (path, text) in source_files() {
        let Ok(inside) = path.strip_prefix(&host) else {
            continue;
        };
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let mut parts = inside.components();
        if code.contains("Command::new(")
            && !parts.any(|part| elsewhere.iter().any(|name| part.as_os_str() == *name))
        {
            starting.push(inside.display().to_string());
        }
    }
    assert_eq!(starting, ["daemon/src/adapters/environment.rs"]);
}
