//! Where `${secret:NAME}` may stand in a config, and that it is refused everywhere else.

use super::{
    super::{
        document::{self, Node, Place, Value},
        problem::Problem,
    },
    HOST, Source, load_text,
};

const EXAMPLE: &str = include_str!("../../../../../examples/mainstay.toml");

/// Where each text of a tree stands, with its keys.
fn texts(node: &Node, keys: &str, found: &mut Vec<(String, Place)>) {
    match &node.value {
        Value::Text(_) => found.push((keys.to_owned(), node.place)),
        Value::Array(items) => {
            for item in items {
                texts(item, keys, found);
            }
        }
        Value::Table(table) => {
            for (key, entry) in table {
                texts(&entry.node, &format!("{keys}.{key}"), found);
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// All of them in the example, which shows every key.
fn texts_of_the_example() -> Vec<(String, Place)> {
    let source = Source {
        path: "mainstay.toml".into(),
        text: EXAMPLE.to_owned().into(),
    };
    let mut found = Vec::new();
    for (key, entry) in document::parse(&[source]).unwrap() {
        texts(&entry.node, &key, &mut found);
    }
    found
}

/// What is wrong with a config that cannot be used.
fn errors(text: &str) -> Vec<Problem> {
    match load_text(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems,
    }
}

#[test]
fn a_secret_is_put_in_where_its_key_says_so_and_refused_by_every_other() {
    let found = texts_of_the_example();
    let (mut taken, mut refused) = (0, 0);
    for (keys, place) in &found {
        for written in ["${secret:hook-token}", "x${secret:hook-token}y"] {
            let mut config = EXAMPLE.to_owned();
            config.replace_range(place.start..place.end, &format!("{written:?}"));
            let errors = errors(&config);
            let is_key = keys.starts_with("tier.") && keys.ends_with("_key");
            if is_key
                || [".env.", ".headers.", ".settings."]
                    .iter()
                    .any(|table| keys.contains(table))
            {
                assert!(errors.is_empty(), "{keys}: {errors:?}");
                taken += 1;
                continue;
            }
            // Those of `params` are for a plugin whose settings do not name this secret.
            let line = 1 + EXAMPLE[..place.start].matches('\n').count();
            let says_so = errors.iter().any(|problem| {
                problem.is_error()
                    // A table over several lines is named by its first.
                    && (keys.contains(".params.") || problem.line == Some(line))
                    && problem.message.contains("hook-token")
            });
            assert!(says_so, "{keys}: {errors:?}");
            refused += 1;
        }
    }
    assert!(
        taken >= 8 && refused >= 200,
        "{taken}, {refused} of {found:?}"
    );
}

/// Each of these is alone in a config, behind what it needs.
#[test]
fn what_names_a_secret_where_none_is_put_in_says_what_to_do_instead() {
    let target = "[[target]]\nname = \"t\"\n";
    let check = |kind: &str| format!("{target}[[target.check]]\nfailure = \"f\"\nkind = {kind}\n");
    let plain = "secrets stand in the texts of `env`, `headers`, `settings` and `params` and in the keys of a tier alone";
    let program = "give the program the secret in its `env`";
    let value = "write the secret into the value";
    for (config, help) in [
        (
            format!("{target}run = [\"a\", \"-p${{secret:x}}\"]"),
            program,
        ),
        (format!("{target}run = [\"${{secret:x}}\"]"), program),
        (
            format!("{target}run = [\"sh\", \"-c\", \"${{secret:Not One}}\"]"),
            program,
        ),
        (
            format!("{target}commands.start = [\"a\", \"${{secret:x}}\"]"),
            program,
        ),
        (
            format!("{target}commands.stop = [\"a\", \"${{secret:x}}\"]"),
            program,
        ),
        (
            format!("{target}commands.restart = [\"a\", \"${{secret:x\"]"),
            program,
        ),
        (
            format!("{target}run = [\"a\"]\nuser = \"${{secret:x}}\""),
            plain,
        ),
        (
            format!("{target}run = [\"a\"]\ncwd = \"${{secret:x}}\""),
            plain,
        ),
        (check("\"exec\"\nrun = [\"a\", \"${secret:x}\"]"), program),
        (check("\"http\"\nurl = \"http://h/?t=${secret:x}\""), plain),
        (check("\"http\"\nurl = \"http://h/${secret}\""), plain),
        (
            check("\"http\"\nurl = \"http://h/\"\nbody_contains = \"${secret:x}\""),
            plain,
        ),
        (check("\"tcp\"\naddress = \"${secret:x}:1\""), plain),
        (
            check("\"file\"\npath = \"p\"\ncontains = \"${secret:x}\""),
            plain,
        ),
        (check("\"file\"\npath = \"${secret:x}\""), plain),
        (
            format!(
                "{target}[[job]]\nname = \"j\"\nencryption = \"none\"\nsource = [{{ kind = \"command\", \
                  key = \"k\", run = [\"a\", \"${{secret:x}}\"] }}]"
            ),
            program,
        ),
        (
            "[command.c]\nrun = [\"a\", \"${secret:x}\"]".to_owned(),
            program,
        ),
        (
            "[plugin.p]\ngrants = { http = [\"https://${secret:x}\"] }".to_owned(),
            plain,
        ),
        (
            "[plugin.p]\nsettings = { a = [{ \"${secret:x}\" = 1 }] }".to_owned(),
            value,
        ),
        (
            "[command.c]\nrun = [\"a\"]\nenv = { \"${secret:x}\" = \"1\" }".to_owned(),
            value,
        ),
    ] {
        let config = format!("{HOST}[secrets]\nx = {{ env = \"X\" }}\n{config}\n");
        let errors = errors(&config);
        let helps = errors.iter().any(|problem| problem.help.starts_with(help));
        assert!(helps, "{config}: {errors:?}");
    }
}

#[test]
fn a_variable_of_a_shell_is_an_argument_like_any_other() {
    for argument in [
        "echo ${secret:-none}",
        "echo ${secret}${secrets} $secret",
        "${secret:+a}",
    ] {
        let config = format!("{HOST}[command.c]\nrun = [\"sh\", \"-c\", {argument:?}]\n");
        assert_eq!(errors(&config), [], "{argument}");
    }
}
