//! The documents for people: links lead somewhere, pages are linked, and what they list is what there is.

use mainstay_tests::{Daemon, program, repository};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

/// Those outside of `docs` and `examples`.
const ROOT: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All documents, as seen from the repository.
fn documents() -> BTreeSet<String> {
    let mut found: BTreeSet<String> = ROOT.map(str::to_owned).into();
    let mut open = vec![PathBuf::from("docs"), PathBuf::from("examples")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(repository().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// The lines that are no code.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push(line);
        }
    }
    assert!(!is_code, "a block has no end");
    lines
}

/// A text without what stands between backquotes.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// Where the links of a document lead.
fn links(text: &str) -> Vec<String> {
    // A link may go over the end of a line, and so may code.
    let prose = without_code(&prose(text).join(" "));
    let parts = prose.split("](").skip(1);
    let ends = parts.filter_map(|part| part.split_once(')'));
    ends.map(|(target, _)| target.trim().to_owned()).collect()
}

/// What a heading is called in an address.
fn anchor_of(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let letters = letters.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    letters.collect()
}

/// The anchors of a document; of equal headings the later ones have a number.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let headings = prose(text).into_iter().filter_map(|line| {
        let title = line.trim_start_matches('#');
        let is_heading = title.len() < line.len() && title.starts_with(' ');
        is_heading.then(|| anchor_of(title))
    });
    headings
        .map(|anchor| {
            let count = seen.entry(anchor.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => anchor,
                more => format!("{anchor}-{}", more - 1),
            }
        })
        .collect()
}

/// A path seen from the repository, of one that is seen from a document; none where it leads out.
fn resolved(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let whole = Path::new(document).parent().unwrap().join(target);
    for part in whole.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap().to_owned()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// What is wrong with a link, if anything is.
fn fault(document: &str, text: &str, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let file = match path {
        "" => document.to_owned(),
        path => match resolved(document, path) {
            Some(file) => file,
            None => return Some("it leads out of the repository".to_owned()),
        },
    };
    if !repository().join(&file).exists() {
        return Some(format!("there is no {file}"));
    }
    if anchor.is_empty() {
        return None;
    }
    let other = if file == document {
        text.to_owned()
    } else {
        read(&file)
    };
    let is_there = anchors(&other).contains(anchor);
    (!is_there).then(|| format!("{file} has no heading `{anchor}`"))
}

#[test]
fn links_are_found_and_faults_are_seen() {
    let text = "# One *two*, three\n[a](#one-two-three) `[code](nowhere)` [b\nc](docs/README.md#docs)\n```\n# no heading\n[d](no)\n```\n\
                ## Same\n## Same\n";
    assert_eq!(links(text), ["#one-two-three", "docs/README.md#docs"]);
    let expected = ["one-two-three", "same", "same-1"];
    assert_eq!(anchors(text), BTreeSet::from(expected.map(str::to_owned)));
    for (link, is_good) in [
        ("#same-1", true),
        ("#same-2", false),
        ("docs/README.md#docs", true),
        ("docs/README.md#nothing", false),
        ("docs/nothing.md", false),
        ("../elsewhere", false),
        ("https://nowhere.example/", true),
    ] {
        assert_eq!(fault("README.md", text, link).is_none(), is_good, "{link}");
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut faults = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if let Some(fault) = fault(&document, &text, &link) {
                faults.push(format!("{document}: ({link}): {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_is_reached_by_links_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut open = vec!["README.md".to_owned()];
    while let Some(document) = open.pop() {
        if !document.ends_with(".md") || !reached.insert(document.clone()) {
            continue;
        }
        let links = links(&read(&document)).into_iter();
        let files = links.filter_map(|link| {
            let path = link.split('#').next().unwrap().to_owned();
            let is_file = !path.is_empty() && !path.contains("://");
            is_file.then(|| resolved(&document, &path)).flatten()
        });
        open.extend(files.filter(|file| repository().join(file).is_file()));
    }
    let unreached: Vec<String> = documents().difference(&reached).cloned().collect();
    assert_eq!(unreached, Vec::<String>::new());
}

/// The blocks of a document in a language, each a text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.trim_start().starts_with("```"))
            .collect();
        if found == language {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// Why the program does not take a command, where it does not. Nothing is done: what is asked for is the help of that very
/// command line.
fn refusal(command: &str) -> Option<String> {
    let ends = [" #", " |", " >", " &&"].iter();
    let end = ends.filter_map(|mark| command.find(mark)).min();
    let command = &command[..end.unwrap_or(command.len())];
    let command = command.replace(" ID", " op-01K0000000000000000000000A");
    let mut bash = Command::new("bash");
    let script = format!("set -f; function mainstay {{ \"$0\" \"$@\" --help; }}; {command}");
    let output = bash.args(["-c", &script]).arg(program()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(told)
}

#[test]
fn commands_that_alerts_ask_for_are_taken_by_the_program() {
    let text = read("host/domain/src/alert/text/next.rs");
    let quoted = text.split('`').skip(1).step_by(2);
    let commands: Vec<String> = quoted
        .filter(|words| words.starts_with("mainstay "))
        .map(|words| {
            let named = words.replace("TARGET", "web").replace("{target}", "web");
            let named = named
                .replace("{failure}", "service-down")
                .replace("{job}", "site");
            named
                .replace("{before}", "ID")
                .replace("{of_type}", " --type full")
                .replace("{id}", "ID")
                .replace("{tier}", "nas")
                .replace("{number}", "1")
        })
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        assert_eq!(refusal(&command), None, "{command}");
    }
}

#[test]
fn commands_of_the_documents_are_taken_by_the_program_and_their_configs_are_toml() {
    let mut count = 0;
    for document in documents() {
        let text = read(&document);
        for block in blocks(&text, "toml") {
            let parsed = block.parse::<toml::Table>();
            assert!(parsed.is_ok(), "{document}: {parsed:?}\n{block}");
        }
        let shells = blocks(&text, "sh");
        let lines = shells.iter().flat_map(|block| block.lines());
        let commands = lines.map(|line| line.strip_prefix("sudo ").unwrap_or(line));
        for command in commands.filter(|line| line.starts_with("mainstay ")) {
            let refused = refusal(command);
            assert_eq!(refused, None, "{document}: {command}");
            count += 1;
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

/// The rows of the table below a heading, each with its cells.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, below) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading `{heading}`"));
    let section = below.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// What stands between backquotes in a cell.
fn quoted(cell: &str) -> BTreeSet<String> {
    let words = cell.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// The functions of these interfaces, but for what a durable handler has beside effects.
#[test]
fn the_page_of_recoveries_says_of_every_effect_what_becomes_of_it_after_a_kill() {
    let page = read("docs/recovery.md");
    let rows = rows(&page, "After a kill of the daemon");
    let told: BTreeSet<String> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let contract = read("plugin-sdk/wit/1.2.0/effects.wit");
    let mut effects = BTreeSet::from(["durable.await-signal".to_owned()]);
    for interface in ["clock", "targets", "commands", "http", "kv", "backups"] {
        let begin = format!("\ninterface {interface} {{\n");
        let (_, text) = contract.split_once(&begin).unwrap();
        let text = text.split("\n}\n").next().unwrap();
        let functions = text.lines().filter_map(|line| line.split_once(": func("));
        effects.extend(functions.map(|(name, _)| format!("{interface}.{}", name.trim())));
    }
    let named: BTreeSet<&String> = told.iter().filter(|word| word.contains('.')).collect();
    let effects: BTreeSet<&String> = effects.iter().collect();
    assert_eq!(named, effects);
}

#[test]
fn the_readme_lists_every_path_of_the_api() {
    let readme = read("README.md");
    let rows = rows(&readme, "The API");
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let schema: Value = serde_json::from_str(&read("openapi/mainstay.v1.json")).unwrap();
    let paths = schema["paths"].as_object().unwrap();
    let paths: BTreeSet<String> = paths.keys().cloned().collect();
    assert_eq!(listed, paths);
}

/// The plugins that come with the program, each as `mainstay plugin inspect` says it.
fn carried() -> Vec<Value> {
    let output = Command::new(program())
        .args(["plugin", "list", "--available", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_readme_lists_every_plugin_that_comes_with_the_program_with_its_settings() {
    let plugins = carried();
    let there = plugins.iter().map(|plugin| {
        let settings = plugin["settings_schema"]["properties"].as_object();
        let settings = settings.into_iter().flat_map(|all| all.keys().cloned());
        (
            plugin["name"].as_str().unwrap().to_owned(),
            settings.collect(),
        )
    });
    let there: BTreeMap<String, BTreeSet<String>> = there.collect();
    let readme = read("README.md");
    let listed = rows(&readme, "The plugins that come with it")
        .into_iter()
        .map(|row| {
            // A grant in the text of a setting is none of its own.
            let settings = quoted(&row[2])
                .into_iter()
                .filter(|word| !word.contains('"'));
            (row[0].trim_matches('`').to_owned(), settings.collect())
        });
    let listed: BTreeMap<String, BTreeSet<String>> = listed.collect();
    assert_eq!(listed, there);
}

/// The capability of a kind that a plugin asks for, with what it says of it.
fn asked(plugin: &Value) -> BTreeMap<String, String> {
    let capabilities = plugin["capabilities"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    capabilities
        .map(|asked| {
            let name = text(&asked["name"]);
            let kind = name.split(':').next().unwrap().to_owned();
            (kind, text(&asked["why"]))
        })
        .collect()
}

#[test]
fn each_page_grants_a_plugin_what_it_asks_for_and_no_more() {
    let plugins = carried();
    let mut shown = BTreeSet::new();
    for page in ["docs/handlers.md", "docs/alerts.md"] {
        for block in blocks(&read(page), "toml") {
            let config: toml::Table = block.parse().unwrap();
            let tables = config.get("plugin").and_then(|tables| tables.as_table());
            for (name, table) in tables.into_iter().flatten() {
                let plugin = plugins.iter().find(|plugin| plugin["name"] == *name);
                let Some(plugin) = plugin else {
                    continue;
                };
                let asked = asked(plugin);
                let grants = table["grants"].as_table().unwrap();
                let granted: BTreeSet<&String> = grants.keys().collect();
                let wanted: BTreeSet<&String> = asked.keys().collect();
                assert_eq!(granted, wanted, "{page}: {name}");
                let verbs = grants.get("target").and_then(|verbs| verbs.as_array());
                for verb in verbs.into_iter().flatten() {
                    // One that names no verb asks for what it is about.
                    let why = &asked["target"];
                    let named = quoted(why);
                    let verb = verb.as_str().unwrap();
                    assert!(
                        named.contains(verb) || (named.is_empty() && why.contains(verb)),
                        "{page}: {name} is granted `{verb}`, and asks to {why}"
                    );
                }
                shown.insert(name.clone());
            }
        }
    }
    let handlers = read("docs/handlers.md");
    let headings = handlers.lines().filter_map(|line| line.strip_prefix("## "));
    let handlers: Vec<&str> = headings.filter(|heading| !heading.contains(' ')).collect();
    assert_eq!(handlers.len(), 10, "one for each failure: {handlers:?}");
    for name in handlers
        .into_iter()
        .chain(["slack", "pagerduty", "email", "webhook"])
    {
        assert!(shown.contains(name), "{name} is shown without its grants");
    }
}

#[test]
fn the_list_of_commands_names_each_once() {
    let page = read("docs/commands.md");
    let list = page.split("```text").nth(1).unwrap();
    let list = list.split("```").next().unwrap();
    let uses = list.lines().filter(|line| line.starts_with("mainstay "));
    let uses = uses.map(|line| line.split("  ").next().unwrap());
    // What a command is called, without what it takes.
    let names: Vec<String> = uses
        .map(|line| {
            let words = line.split(' ');
            let words = words.take_while(|word| !word.starts_with(['[', '<', '-']));
            let words: Vec<&str> = words
                .take_while(|word| word.chars().any(|letter| letter.is_lowercase()))
                .collect();
            words.join(" ")
        })
        .collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert!(distinct.len() > 40, "{names:?}");
    let mut again = names.clone();
    for name in distinct {
        again.remove(again.iter().position(|other| other == name).unwrap());
    }
    // `status` stands there by what it shows.
    again.retain(|name| name != "mainstay status");
    assert_eq!(again, Vec::<String>::new());
}

#[test]
fn the_api_page_has_one_row_for_each_command() {
    let page = read("docs/api.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let commands: Vec<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
    assert!(commands.len() > 20, "{commands:?}");
    let mut seen = BTreeSet::new();
    let again = commands.iter().filter(|command| !seen.insert(**command));
    assert_eq!(again.collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn the_readme_counts_the_stop_signals_that_a_target_may_have() {
    let source = read("host/daemon/src/config/validate/target.rs");
    let (_, table) = source
        .split_once("const STOP_SIGNALS: [(&str, Signal); ")
        .unwrap();
    let count: usize = table.split(']').next().unwrap().parse().unwrap();
    let words = [
        "none", "one", "two", "three", "four", "five", "six", "seven",
    ];
    let row = format!("| stop signals | {} | **seven** |", words[count]);
    assert!(read("README.md").contains(&row), "{row}");
}

#[test]
fn a_page_shows_the_tables_that_operators_write_by_hand() {
    let tables = |page: &str| -> Vec<toml::Table> {
        let blocks = blocks(&read(page), "toml");
        blocks.iter().map(|block| block.parse().unwrap()).collect()
    };
    let keys = |table: &toml::Value| -> BTreeSet<String> {
        let table = table.as_table().unwrap();
        table.keys().cloned().collect()
    };
    let example: toml::Table = read("examples/mainstay.toml").parse().unwrap();
    let shown = tables("docs/api.md");
    let api = shown.iter().find_map(|table| table.get("host")?.get("api"));
    assert_eq!(keys(api.unwrap()), keys(&example["host"]["api"]));
    let shown = tables("docs/recovery.md");
    let budget = shown.iter().find_map(|table| table.get("budget"));
    assert_eq!(keys(budget.unwrap()), keys(&example["budget"]));
    let depends = |table: &toml::Table| {
        let targets = table.get("target").and_then(|targets| targets.as_array());
        let mut targets = targets.into_iter().flatten();
        targets.any(|target| target.get("depends_on").is_some())
    };
    assert!(shown.iter().any(depends), "no page shows `depends_on`");
    // Prometheus is let in by what the page says, and asks where the daemon listens.
    let page = read("docs/metrics.md");
    let shown = tables("docs/metrics.md");
    let api = shown.iter().find_map(|table| table.get("host")?.get("api"));
    let listen = api.unwrap()["listen"].as_str().unwrap().to_owned();
    let scrapes = blocks(&page, "yaml");
    let scrapes = scrapes.iter().find(|it| it.contains("scrape_configs:"));
    assert!(scrapes.unwrap().contains(&listen), "{scrapes:?}");
}

#[test]
fn every_recipe_is_a_config_that_check_takes_alone_and_beside_what_init_writes() {
    let recipes = blocks(&read("docs/recipes.md"), "toml");
    // What the page says that `check` warns of.
    let [exits, untold, disk] = [
        "4 targets have no check: only their exits are seen",
        "there is no [[alert]]",
        "no route fits `disk-full`",
    ];
    let warned: [(&[&str], &[&str]); 3] =
        [(&[exits, untold], &[exits]), (&[disk], &[disk]), (&[], &[])];
    assert_eq!(recipes.len(), warned.len());
    for (recipe, (alone, beside)) in recipes.iter().zip(warned) {
        let daemon = Daemon::prepare("");
        fs::remove_file(daemon.path("mainstay.toml")).unwrap();
        let mut init = Command::new(program());
        init.args(["init", "--with", "email,gfs-retention"]);
        let output = init.current_dir(daemon.directory.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let check = |expected: &[&str]| {
            let report = daemon.json(&["check"]);
            let problems = report["problems"].as_array().unwrap();
            let messages = problems.iter().map(|it| it["message"].as_str().unwrap());
            // What is not on this machine is a warning too.
            let missing = ["the program of ", "the source "];
            let found: Vec<&str> = messages
                .filter(|it| !missing.iter().any(|what| it.starts_with(what)))
                .collect();
            assert_eq!(found.len(), expected.len(), "{report}\n{recipe}");
            for (message, says) in found.iter().zip(expected) {
                assert!(message.starts_with(*says), "{report}\n{recipe}");
            }
        };
        let left_out = [
            "host = ",
            "plugin.restart-service",
            "plugin.log-file",
            "alert = [{ alerter = \"log-file\"",
        ];
        let lines = recipe.lines();
        let rest: Vec<&str> = lines
            .filter(|line| !left_out.iter().any(|out| line.starts_with(out)))
            .collect();
        fs::create_dir(daemon.path("conf.d")).unwrap();
        fs::write(daemon.path("conf.d/own.toml"), rest.join("\n")).unwrap();
        check(beside);
        fs::remove_dir_all(daemon.path("conf.d")).unwrap();
        fs::write(daemon.path("mainstay.toml"), recipe).unwrap();
        check(alone);
    }
}

#[test]
fn what_stands_for_the_counts_of_restic_says_every_count() {
    let readme = read("README.md");
    let plugins = rows(&readme, "The plugins that come with it");
    let gfs = plugins.iter().find(|row| row[0] == "`gfs-retention`");
    let counts = quoted(&gfs.unwrap()[2]);
    assert!(counts.contains("hourly"), "{counts:?}");
    let recipes = read("docs/recipes.md");
    let row = recipes.lines().find(|line| line.contains("--keep-daily"));
    let settings = quoted(row.unwrap());
    let settings = settings.iter().find(|word| word.starts_with("settings"));
    let settings: toml::Table = settings.unwrap().parse().unwrap();
    let said = settings["settings"].as_table().unwrap();
    let said: BTreeSet<String> = said.keys().cloned().collect();
    assert_eq!(said, counts);
}

#[test]
fn the_unit_says_only_what_systemd_252_knows_or_explains_the_rest() {
    let known = [
        "Description",
        "Wants",
        "After",
        "Type",
        "ExecReload",
        "NotifyAccess",
        "ExecStart",
        "WatchdogSec",
        "Restart",
        "RestartSec",
        "KillMode",
        "TimeoutStopSec",
        "LimitNOFILE",
        "Delegate",
        "WantedBy",
    ];
    let unit = read("examples/mainstay.service");
    let mut comment = String::new();
    for line in unit.lines() {
        match (line.strip_prefix('#'), line.split_once('=')) {
            (Some(text), _) => comment.push_str(text),
            (None, Some((key, value))) => {
                let is_explained = comment.contains(&format!("{key}= came with systemd"));
                assert!(known.contains(&key) || is_explained, "{line}: {comment}");
                // An older one takes a type that it does not know for `simple`.
                let is_known = ["notify", "exec", "simple"].contains(&value);
                assert!(key != "Type" || is_known, "{line}");
            }
            (None, None) => comment.clear(),
        }
    }
}

/// The commands of the blocks below a heading of README, each without the word that makes root of its user.
fn steps(heading: &str) -> Vec<String> {
    let readme = read("README.md");
    let (_, below) = readme
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading `{heading}`"));
    let section = below.split("\n## ").next().unwrap();
    let steps = blocks(section, "sh");
    let steps = steps.iter().flat_map(|block| block.lines());
    let steps = steps.map(|line| line.strip_prefix("sudo ").unwrap_or(line));
    steps.map(str::to_owned).collect()
}

/// What stands for a key of the unit, which has it once.
fn of_the_unit(key: &str) -> String {
    let unit = read("examples/mainstay.service");
    let pairs = unit.lines().filter_map(|line| line.split_once('='));
    let values: Vec<&str> = pairs
        .filter(|(found, _)| *found == key)
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0].to_owned()
}

#[test]
fn the_unit_runs_what_the_steps_of_the_readme_put_into_place() {
    let start = of_the_unit("ExecStart");
    let (installed, arguments) = start.split_once(' ').unwrap();
    assert_eq!(refusal(&format!("mainstay {arguments}")), None, "{start}");
    let config = Path::new(arguments.strip_prefix("run --config ").unwrap());
    let (directory, config) = (config.parent().unwrap().display(), config.display());
    let steps = steps("As a service of the machine");
    for step in [
        format!("install -m 755 ~/.cargo/bin/mainstay {installed}"),
        format!("mainstay init {directory} --service /var/lib/mainstay --now"),
        "mainstay check".to_owned(),
    ] {
        assert!(steps.contains(&step), "`{step}` is none of {steps:#?}");
    }
    assert_eq!(of_the_unit("WantedBy"), "multi-user.target");
    // Commands find the daemon there where nobody names its config.
    let help = Command::new(program()).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains(&config.to_string()), "{help}");
}

#[test]
fn the_unit_gives_the_daemon_the_time_that_it_takes_to_end() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    let example: toml::Table = read("examples/mainstay.toml").parse().unwrap();
    let deadline = seconds(example["host"]["shutdown_deadline"].as_str().unwrap());
    let stop = seconds(&of_the_unit("TimeoutStopSec"));
    assert!(deadline < stop && stop < 2 * deadline, "{deadline}, {stop}");
    assert_eq!(of_the_unit("ExecReload"), "/bin/kill -HUP $MAINPID");
}

#[test]
fn what_the_steps_of_the_readme_put_into_the_machine_its_last_ones_take_away() {
    let of_the_machine = |word: &&str| {
        let roots = ["/etc/", "/var/", "/usr/local/"];
        roots.iter().any(|root| word.starts_with(root))
    };
    let put: Vec<String> = ["As a service of the machine", "Upgrade"]
        .iter()
        .flat_map(|heading| steps(heading))
        .collect();
    let put = put.join("\n");
    let ends = |character: char| character.is_whitespace() || "\"'|;".contains(character);
    let put: BTreeSet<&str> = put.split(ends).filter(of_the_machine).collect();
    assert!(put.contains("/var/lib/mainstay"), "{put:?}");
    let last = steps("Uninstall");
    let removals = last.iter().filter(|step| step.starts_with("rm "));
    let removed: Vec<&str> = removals
        .flat_map(|step| step.split_whitespace().filter(of_the_machine))
        .collect();
    let is_removed = |path: &str| {
        removed.iter().any(|removed| match removed.split_once('*') {
            Some((beginning, _)) => path.starts_with(beginning),
            None => Path::new(path).starts_with(removed),
        })
    };
    let left: Vec<&str> = put.into_iter().filter(|path| !is_removed(path)).collect();
    assert_eq!(left, Vec::<&str>::new());
}

/// The tests that a page of promises names: files, and the names of tests in them.
fn named_tests(text: &str) -> Vec<(&str, Option<&str>)> {
    let code = text.split('`').skip(1).step_by(2);
    let named = code.map(|code| match code.split_once("::") {
        Some((file, test)) => (file, Some(test)),
        None => (code, None),
    });
    named
        .filter(|(file, _)| file.contains('/') && file.ends_with(".rs"))
        .collect()
}

#[test]
fn each_promise_names_tests_that_there_are() {
    let pages = documents();
    let pages = pages
        .iter()
        .filter(|page| page.starts_with("docs/promises/"));
    let mut count = 0;
    for page in pages {
        let text = read(page);
        for (file, test) in named_tests(&text) {
            let source = read(file);
            let is_there = test.is_none_or(|test| source.contains(&format!("fn {test}(")));
            assert!(
                is_there,
                "{page} names {test:?} of {file}, which is not there"
            );
            count += 1;
        }
    }
    assert!(count > 0, "no page of promises names a test");
}
