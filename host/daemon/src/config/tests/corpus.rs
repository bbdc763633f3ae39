//! Each broken config of `config/corpus/` gives exactly the diagnostics of the snapshot beside it; and no text at all
//! makes the config panic.

use super::{super::*, HOST, load_text};
use proptest::prelude::*;

/// The problems of a config, whether they make it unusable or not.
fn problems(result: Result<Loaded, ConfigErrors>) -> Vec<Problem> {
    match result {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors.problems,
    }
}

fn corpus() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/corpus");
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn every_broken_config_gives_its_diagnostics() {
    let files = corpus();
    assert!(files.len() >= 45, "the corpus has lost files");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../corpus/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, text) in &files {
            let problems = problems(load_text(text));
            assert!(!problems.is_empty(), "{name} has no problem");
            let only_warns = problems
                .iter()
                .all(|problem| problem.severity == ProblemSeverity::Warning);
            assert_eq!(only_warns, name.starts_with("warn-"), "{name}");
            insta::assert_snapshot!(name.as_str(), render(&problems, false));
        }
    });
}

#[test]
fn every_diagnostic_says_where_what_and_what_to_do() {
    for (name, text) in corpus() {
        for problem in problems(load_text(&text)) {
            let line = problem.line.and_then(|line| text.lines().nth(line - 1));
            let length = line.unwrap_or_default().chars().count();
            assert!(problem.column.unwrap() <= length + 1, "{name}: {problem:?}");
            for sentence in [&problem.message, &problem.help] {
                assert!(!sentence.is_empty(), "{name}: {problem:?}");
                assert!(!sentence.ends_with('.'), "{name}: {sentence}");
            }
        }
    }
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    let (_, many) = corpus()
        .into_iter()
        .find(|(name, _)| name == "many")
        .unwrap();
    let problems = problems(load_text(&many));
    assert!(problems.len() > 25, "{}", problems.len());
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.line, problem.column))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_report_for_programs_has_the_documented_shape() {
    let text = format!("{HOST}nmae = \"x\"\n");
    let refused = report(&problems(load_text(&text)));
    let expected = serde_json::json!({
        "ok": false,
        "problems": [{
            "severity": "error",
            "file": "mainstay.toml",
            "line": 4,
            "column": 1,
            "message": "unknown key `nmae` in [host]",
            "help": "did you mean `name`?",
        }],
    });
    assert_eq!(serde_json::to_value(refused).unwrap(), expected);
    let fine = report(&problems(load_text(HOST)));
    assert_eq!(
        serde_json::to_value(fine).unwrap(),
        serde_json::json!({ "ok": true, "problems": [] })
    );
    let warning = Problem::warning("this is odd", "look");
    assert!(report(&[warning]).ok);
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let problems = problems(load_text("x = 1"));
    assert!(render(&problems, true).contains('\u{1b}'));
    assert!(!render(&problems, false).contains('\u{1b}'));
}

/// Lines that nearly are a config: keys and values that do not belong together, sections in any order.
fn nearly_a_config() -> impl Strategy<Value = String> {
    let section = prop::sample::select(vec![
        "[host]",
        "[[target]]",
        "[[target.check]]",
        "[[route]]",
        "[[route.chain]]",
        "[plugin.p]",
        "[plugin.p.grants]",
        "[plugin.p.limits]",
        "[[alert]]",
        "[[job]]",
        "[[job.source]]",
        "[secrets]",
        "[command.c]",
        "[job.retention]",
    ]);
    let key = prop::sample::select(vec![
        "name",
        "state_dir",
        "run",
        "kind",
        "url",
        "every",
        "timeout",
        "depends_on",
        "chain",
        "handler",
        "strategy",
        "target",
        "http",
        "dir",
        "memory",
        "source",
        "full",
        "rpo",
        "path",
        "settings",
        "failure",
        "status",
        "umask",
        "version",
        "x.y",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "\"a\"",
            "5",
            "-1",
            "0.5",
            "inf",
            "nan",
            "true",
            "[]",
            "{}",
            "[1, \"a\"]",
            "\"2s\"",
            "\"http\"",
            "\"http://[::1\"",
            "1979-05-27",
            "{ kind = \"linear\" }",
            "\"${secret:\"",
            "{ cron = \"* * * * *\" }",
            "[{ handler = \"h\" }]",
            "0xffffffffffffffff",
            "\"ä\"",
        ])
        .prop_map(str::to_owned),
        "\"\\PC{0,20}\"",
    ];
    let line = prop_oneof![
        1 => section.prop_map(str::to_owned),
        3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
    ];
    prop::collection::vec(line, 0..25).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof!["(?s).{0,200}", nearly_a_config()]) {
        let problems = problems(load_text(&text));
        let _ = render(&problems, true);
        let _ = serde_json::to_string(&report(&problems)).unwrap();
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_of_the_reference_makes_it_panic(
        start in 0.0..1.0_f64,
        length in 0_usize..40,
        instead in "\\PC{0,12}",
    ) {
        let text = include_str!("../../../../../examples/mainstay.toml");
        let mut letters: Vec<char> = text.chars().collect();
        let from = (letters.len() as f64 * start) as usize;
        let to = (from + length).min(letters.len());
        letters.splice(from..to, instead.chars());
        let problems = problems(load_text(&letters.into_iter().collect::<String>()));
        let _ = render(&problems, false);
    }
}
