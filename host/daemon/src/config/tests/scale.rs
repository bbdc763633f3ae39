//! Large configs: twice the targets cost twice the work, and what is wrong with all of them is told once.

use super::{super::*, HOST};
use crate::config::work::steps_of;

/// A way in which all targets of a config are written: the files for so many of them.
type Shape = fn(usize) -> Vec<String>;

fn load_files(texts: Vec<String>) -> Result<Loaded, ConfigErrors> {
    let source = |(number, text): (usize, String)| Source {
        path: format!("{number}.toml").into(),
        text: text.into(),
    };
    let sources: Vec<Source> = texts.into_iter().enumerate().map(source).collect();
    examined(&sources, Path::new("/etc/mainstay")).accepted()
}

fn problems(texts: Vec<String>) -> Vec<Problem> {
    match load_files(texts) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors.problems,
    }
}

fn messages(problems: &[Problem]) -> Vec<&str> {
    let messages = problems.iter().map(|problem| problem.message.as_str());
    messages.collect()
}

/// One file: what every config needs, and a piece for each target.
fn one_file(targets: usize, piece: impl Fn(usize) -> String) -> Vec<String> {
    let pieces: String = (0..targets).map(piece).collect();
    vec![format!("{HOST}{pieces}")]
}

/// A target with a check, with other keys before.
fn target(number: usize, keys: &str) -> String {
    format!(
        "[[target]]\nname = \"t-{number}\"\n{keys}[[target.check]]\nkind = \"tcp\"\naddress = \"h:1\"\nfailure = \"down-{number}\"\n"
    )
}

fn chained(targets: usize) -> Vec<String> {
    one_file(targets, |n| {
        let before = n.saturating_sub(1);
        let depends_on = format!("depends_on = [\"t-{before}\"]\n");
        target(n, if n > 0 { depends_on.as_str() } else { "" })
    })
}

fn dangling(targets: usize) -> Vec<String> {
    one_file(targets, |n| {
        target(n, &format!("depends_on = [\"x-{n}\"]\n"))
    })
}

fn circular(targets: usize) -> Vec<String> {
    one_file(targets, |n| {
        target(n, &format!("depends_on = [\"t-{}\"]\n", n ^ 1))
    })
}

fn twice(targets: usize) -> Vec<String> {
    one_file(targets, |n| target(n / 2, ""))
}

fn on_one_line(targets: usize) -> Vec<String> {
    let items: Vec<String> = (0..targets)
        .map(|n| format!("{{ name = \"t-{}\", priority = 0 }}", n / 2))
        .collect();
    vec![format!("target = [{}]\n{HOST}", items.join(", "))]
}

fn a_file_each(targets: usize) -> Vec<String> {
    let host = std::iter::once(HOST.to_owned());
    host.chain((0..targets).map(|n| target(n, ""))).collect()
}

fn set_in_every_file(targets: usize) -> Vec<String> {
    let host = std::iter::once(HOST.to_owned());
    host.chain((0..targets).map(|_| "host.state_dir = \"other\"\n".to_owned()))
        .collect()
}

fn no_toml(targets: usize) -> Vec<String> {
    one_file(targets, |n| format!("key-{n} = \n"))
}

#[test]
fn twice_the_targets_cost_twice_the_work() {
    let shapes: [(&str, Shape); 8] = [
        ("chained", chained),
        ("dangling", dangling),
        ("circular", circular),
        ("twice", twice),
        ("on one line", on_one_line),
        ("a file each", a_file_each),
        ("set in every file", set_in_every_file),
        ("no TOML", no_toml),
    ];
    for (name, shape) in shapes {
        let (files, twice_the_files) = (shape(400), shape(800));
        let (_, steps) = steps_of(|| load_files(files).is_ok());
        let (_, more_steps) = steps_of(|| load_files(twice_the_files).is_ok());
        assert!(
            more_steps < steps * 5 / 2,
            "{name}: {steps} steps, {more_steps} for twice as many targets"
        );
    }
}

#[test]
fn a_warning_about_every_target_is_one_with_their_count() {
    let problems = problems(chained(1_000));
    assert_eq!(
        messages(&problems),
        [
            "no route fits `down-0` of target `t-0`: it is reported, and nobody recovers it … and 999 more like it"
        ]
    );
    let json = serde_json::to_value(report(&problems)).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["problems"].as_array().unwrap().len(), 1);
    assert_eq!(json["problems"][0]["line"], 6);
    let text = render(&problems, false);
    for number in 0..5 {
        let line = format!("no route fits `down-{number}` of target `t-{number}`");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("… and 995 more like it"), "{text}");
    assert!(!text.contains("`t-5`"), "{text}");
}

#[test]
fn an_error_about_every_target_is_told_a_hundred_times_and_then_counted() {
    let problems = problems(dangling(300));
    let expected: Vec<String> = (0..100)
        .map(|n| match n {
            99 => "there is no target `x-99` … and 200 more like it".to_owned(),
            n => format!("there is no target `x-{n}`"),
        })
        .collect();
    assert_eq!(messages(&problems), expected);
    for (number, problem) in problems.iter().enumerate() {
        assert_eq!(problem.help, format!("did you mean \"t-{number}\"?"));
    }
}

#[test]
fn many_errors_of_one_kind_hide_none_of_another() {
    let mut files = dangling(300);
    files.push("[[target]]\nname = \"t-300\"\npriority = 0\n".to_owned());
    let problems = problems(files);
    assert_eq!(problems.len(), 101);
    let last = problems.last().unwrap();
    assert_eq!(
        last.message,
        "`priority` is 0, not a whole number from 1 to 10"
    );
    assert_eq!((last.file.as_deref(), last.line), (Some("1.toml"), Some(3)));
}

#[test]
fn every_cycle_is_told_at_what_closes_it() {
    let problems = problems(circular(6));
    let expected = [(0, 1), (2, 3), (4, 5)].map(|(one, other)| {
        format!("the dependencies go round in a circle: t-{one} → t-{other} → t-{one}; take one of them out of `depends_on`")
    });
    assert_eq!(messages(&problems), expected);
    let lines: Vec<_> = problems.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(lines, [13, 27, 41]);
}

#[test]
fn a_placeholder_is_used_where_an_argument_holds_it() {
    let command = |argument: &str| {
        format!("[command.c]\nrun = [\"p\", \"{argument}\"]\nplaceholders = [\"key\"]\n")
    };
    for (argument, is_used) in [
        ("{key}", true),
        ("a{{key}}b", true),
        ("{x{key}", true),
        ("{key", false),
        ("{key }", false),
        ("{ke{y}", false),
    ] {
        let loaded = load_files(vec![format!("{HOST}{}", command(argument))]);
        assert_eq!(loaded.is_ok(), is_used, "{argument}");
    }
}
