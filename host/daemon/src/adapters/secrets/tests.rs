//! Secrets in and out.

use super::*;
use crate::adapters::environment::OF_THE_TESTS;
use std::fs;

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn private_file(directory: &Path, contents: &[u8], mode: u32) -> SecretSource {
    let path = directory.join("value");
    fs::write(&path, contents).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    SecretSource::File(path)
}

impl ConfiguredSecrets {
    fn prepare_from(
        &self,
        sources: &BTreeMap<SecretName, SecretSource>,
    ) -> Result<(), Vec<SecretError>> {
        self.prepare(Self::read(sources)?)
    }
}

/// Secrets with these values, through files.
fn secrets(values: &[(&str, &str)]) -> ConfiguredSecrets {
    let directory = tempfile::tempdir().unwrap();
    ConfiguredSecrets::load(&sources(directory.path(), values)).unwrap()
}

fn loaded_from(contents: &[u8], mode: u32) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let source = private_file(directory.path(), contents, mode);
    ConfiguredSecrets::load(&BTreeMap::from([(name("token"), source)]))
        .map(|secrets| secrets.value(&name("token")).unwrap())
        .map_err(|errors| errors[0].to_string())
}

#[test]
fn one_newline_at_the_end_of_a_file_is_not_part_of_the_value() {
    for (contents, value) in [
        ("hunter22", "hunter22"),
        ("hunter22\n", "hunter22"),
        ("hunter22\r\n", "hunter22"),
        ("hunter22\n\n", "hunter22\n"),
        (" hunter22 ", " hunter22 "),
    ] {
        assert_eq!(
            loaded_from(contents.as_bytes(), 0o600).as_deref(),
            Ok(value)
        );
    }
    assert!(loaded_from(b"hunter22", 0o400).is_ok());
}

#[test]
fn a_file_is_refused_with_a_sentence_and_without_its_value() {
    for (contents, mode, words) in [
        (b"hunter22".as_slice(), 0o640, "mode 640); run `chmod 600"),
        (b"hunter22", 0o604, "can be read or changed by others"),
        (b"hunter22", 0o622, "can be read or changed by others"),
        (b"", 0o600, "it is empty"),
        (b"\n", 0o600, "it is empty"),
        (b"hunter22\xff", 0o600, "is not UTF-8 text"),
        (&[b'x'; 16_385], 0o600, "longer than 16384 bytes"),
    ] {
        let error = loaded_from(contents, mode).unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(
            error.starts_with("secret `token`: ") && !error.contains("hunter22"),
            "{error}"
        );
    }
}

#[test]
fn every_unreadable_secret_is_reported() {
    let sources = BTreeMap::from([
        (name("a"), SecretSource::File("/nonexistent/secret".into())),
        (
            name("b"),
            SecretSource::Env("MAINSTAY_TEST_NOT_SET".to_owned()),
        ),
        (name("c"), SecretSource::File("/".into())),
        (name("d"), SecretSource::Env("PATH".to_owned())),
    ]);
    let errors = ConfiguredSecrets::load(&sources).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[1].contains("MAINSTAY_TEST_NOT_SET is not set"),
        "{texts:?}"
    );
}

#[test]
fn a_fifo_in_place_of_a_secret_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
    let sources = BTreeMap::from([(name("token"), SecretSource::File(fifo))]);
    let errors = ConfiguredSecrets::load(&sources).unwrap_err();
    let text = errors[0].to_string();
    assert!(text.contains("fifo: it is no regular file"), "{text}");
}

/// The sources of secrets with these values, in files of this directory.
fn sources(directory: &Path, values: &[(&str, &str)]) -> BTreeMap<SecretName, SecretSource> {
    let sources = values.iter().map(|(key, value)| {
        let path = directory.join(key);
        fs::create_dir_all(&path).unwrap();
        (name(key), private_file(&path, value.as_bytes(), 0o600))
    });
    sources.collect()
}

#[test]
fn a_reload_that_fails_leaves_the_values_before() {
    let secrets = secrets(&[("token", "hunter22")]);
    let missing = BTreeMap::from([(name("token"), SecretSource::File("/nonexistent".into()))]);
    assert!(secrets.prepare_from(&missing).is_err());
    assert_eq!(secrets.reveal("${secret:token}").as_deref(), Ok("hunter22"));
    secrets.adopt();
    assert_eq!(secrets.reveal("${secret:token}").as_deref(), Ok("hunter22"));
    secrets.prepare_from(&BTreeMap::new()).unwrap();
    secrets.adopt();
    assert!(secrets.reveal("${secret:token}").is_err());
}

#[test]
fn while_a_reload_is_prepared_every_name_of_before_has_its_value_of_before() {
    const TEXT: &str = "${secret:token}";
    let directory = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("token", "hunter22"), ("old", "goes")]);
    let next = sources(
        directory.path(),
        &[("token", "correct-horse"), ("new", "comes")],
    );
    let prepare = || {
        secrets.prepare_from(&next).unwrap();
        assert_eq!(secrets.reveal(TEXT).as_deref(), Ok("hunter22"));
        assert_eq!(secrets.reveal("${secret:old}").as_deref(), Ok("goes"));
        assert_eq!(secrets.reveal("${secret:new}").as_deref(), Ok("comes"));
    };
    prepare();
    secrets.abandon();
    assert_eq!(secrets.reveal(TEXT).as_deref(), Ok("hunter22"));
    assert!(secrets.reveal("${secret:new}").is_err());

    prepare();
    secrets.adopt();
    assert_eq!(secrets.reveal(TEXT).as_deref(), Ok("correct-horse"));
    assert_eq!(secrets.reveal("${secret:new}").as_deref(), Ok("comes"));
    assert!(secrets.reveal("${secret:old}").is_err());
}

#[test]
fn what_a_config_reads_from_the_environment_is_inherited_by_no_program_after_it() {
    let variable = SecretSource::Env(OF_THE_TESTS.to_owned());
    let named = BTreeMap::from([(name("token"), variable)]);
    let inherits = |secrets: &ConfiguredSecrets| {
        let mut command = secrets.child_environment().inheriting("env");
        let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        printed.contains(OF_THE_TESTS)
    };
    let secrets = ConfiguredSecrets::load(&named).unwrap();
    assert!(!inherits(&secrets));
    secrets.prepare_from(&BTreeMap::new()).unwrap();
    secrets.adopt();
    assert!(!inherits(&secrets), "the secret is gone, its value is not");

    let secrets = ConfiguredSecrets::load(&BTreeMap::new()).unwrap();
    assert!(inherits(&secrets));
    secrets.prepare_from(&named).unwrap();
    assert!(!inherits(&secrets), "it is being applied");
    secrets.abandon();
    assert!(inherits(&secrets), "it was refused");
    secrets.prepare_from(&named).unwrap();
    secrets.adopt();
    assert!(!inherits(&secrets));
}

#[test]
fn a_value_that_was_rotated_out_is_still_concealed() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("token", "value-1"), ("gone", "farewell")]);
    let shown = |text: &str| String::from_utf8(secrets.conceal(text.into())).unwrap();
    // Read again without a change between any two.
    for value in ["value-2", "value-2", "value-3", "value-3"] {
        let next = sources(directory.path(), &[("token", value)]);
        secrets.prepare_from(&next).unwrap();
        secrets.adopt();
        assert_eq!(
            shown(&format!("value-1, {value}, farewell")),
            "[secret:token], [secret:token], [secret:gone]"
        );
    }
}

#[test]
fn both_values_are_concealed_while_a_reload_is_prepared_and_neither_is_forgotten_after() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("token", "hunter22")]);
    let next = sources(directory.path(), &[("token", "correct-horse")]);
    let shown = |text: &str| String::from_utf8(secrets.conceal(text.into())).unwrap();
    secrets.prepare_from(&next).unwrap();
    assert_eq!(shown("hunter22"), "[secret:token]");
    secrets.adopt();
    assert_eq!(
        shown("hunter22 correct-horse"),
        "[secret:token] [secret:token]"
    );
}

#[test]
fn placeholders_are_revealed_once_and_unknown_ones_are_errors() {
    let secrets = secrets(&[("a", "1${secret:b}"), ("b", "2")]);
    for (text, revealed) in [
        ("", ""),
        ("plain $ {} ${x}", "plain $ {} ${x}"),
        ("<${secret:b}${secret:b}>", "<22>"),
        // A value is data: what looks like a placeholder in it is none.
        ("${secret:a}", "1${secret:b}"),
    ] {
        assert_eq!(secrets.reveal(text).as_deref(), Ok(revealed));
    }
    for (text, words) in [
        (
            "${secret:c}",
            "secret `c` is not known; add it to [secrets]",
        ),
        ("${secret:A}", "`A` is not a secret name"),
        ("${secret:a", "has no `}`"),
    ] {
        let error = secrets.reveal(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn no_value_is_printed() {
    let secrets = secrets(&[("token", "hunter22")]);
    let shown = format!("{secrets:?}");
    assert!(
        shown.contains("token") && !shown.contains("hunter22"),
        "{shown}"
    );
}

/// `text` holds the secret in some form; what is left shows none of it.
fn check_concealed(value: &str, text: &str, expected: &str) {
    let secrets = secrets(&[("token", value)]);
    let concealed = String::from_utf8(secrets.conceal(text.into())).unwrap();
    assert_eq!(concealed, expected, "{value} in {text}");
}

#[test]
fn a_secret_is_concealed_in_every_common_form() {
    check_concealed(
        "hunter22",
        "a hunter22, hunter22!",
        "a [secret:token], [secret:token]!",
    );
    check_concealed("hunter22", "hunter2 and hunter", "hunter2 and hunter");
    check_concealed(
        "pa\"ss/wor\\d",
        r#"{"p":"pa\"ss/wor\\d"}"#,
        r#"{"p":"[secret:token]"}"#,
    );
    check_concealed(
        "pa\"ss/wor\\d",
        r#"{"p":"pa\"ss\/wor\\d"}"#,
        r#"{"p":"[secret:token]"}"#,
    );
    check_concealed("p&ss w/rd", "q=p%26ss%20w%2Frd&x", "q=[secret:token]&x");
    check_concealed("p&ss w/rd", "q=p%26ss%20w%2frd&x", "q=[secret:token]&x");
    check_concealed("p&ss w/rd", "q=p%26ss+w%2Frd&x", "q=[secret:token]&x");
    check_concealed(
        "p&ss w/rd",
        "http://x/p&ss%20w/rd",
        "http://x/[secret:token]",
    );
    check_concealed("hunter22", "68756e7465723232", "[secret:token]");
}

#[test]
fn base64_hides_no_secret_at_any_alignment() {
    // printf 'PREFIXhunter22SUFFIX' | base64, for prefixes of zero to two bytes.
    for text in [
        "aHVudGVyMjI=",
        "aHVudGVyMjI6eA==",
        "dTpodW50ZXIyMg==",
        "dTpodW50ZXIyMng=",
        "Omh1bnRlcjIy",
        "Omh1bnRlcjIyeA==",
    ] {
        let secrets = secrets(&[("token", "hunter22")]);
        let concealed = String::from_utf8(secrets.conceal(text.into())).unwrap();
        assert!(
            concealed.contains("[secret:token]"),
            "{text} became {concealed}"
        );
        assert!(
            concealed.len() - "[secret:token]".len() <= 6,
            "{text} became {concealed}"
        );
    }
}

/// Each of these holds `p&ss w/rd"` in one dress or more, behind `<` and before `>`.
#[test]
fn a_secret_is_concealed_in_whatever_dress_it_comes_back() {
    for text in [
        // JSON, of encoders that escape more than they must, and of all of it.
        r#"<p\u0026ss w\/rd\">"#,
        r#"<p&ss w\u002Frd\u0022>"#,
        r#"<p\u0026ss\u0020w/rd\u0022>"#,
        r"<\u0070\u0026\u0073\u0073\u0020\u0077\u002f\u0072\u0064\u0022>",
        // JSON in a text of JSON.
        r#"<p&ss w/rd\\\">"#,
        r#"<p\\u0026ss w/rd\\u0022>"#,
        // Percent-encoded in part, in full, in either case, and twice.
        "<p%26ss w/rd%22>",
        "<p&ss%20w%2frd%22>",
        "<%70%26%73%73%20%77%2F%72%64%22>",
        "<p%2526ss%2520w%252Frd%2522>",
        // Forms.
        "<p%26ss+w%2Frd%22>",
        "<p%26ss+w/rd%22>",
        "<%70&ss+w%2frd\">",
        // A form or a URL in JSON, and JSON in a URL.
        r#"<p\u002526ss\u002520w%2Frd%22>"#,
        "<p%5Cu0026ss%20w%5C/rd%5C%22>",
        // HTML.
        "<p&amp;ss w/rd&quot;>",
        "<p&#38;ss&#32;w&#x2F;rd&#34;>",
        // Programs.
        r#"<p\&ss\ w\/rd\">"#,
        r"<p\x26ss\x20w\057rd\042>",
        r"<p\u{26}ss w/rd\u{22}>",
    ] {
        check_concealed("p&ss w/rd\"", text, "<[secret:token]>");
    }
}

#[test]
fn a_secret_in_an_alphabet_of_its_own_is_concealed_however_it_is_escaped() {
    for text in [
        "Schlüssel-😀-1",
        r"Schl\u00fcssel-\ud83d\ude00-1",
        r"Schl\u00FCssel-😀-1",
        r"Schl\xc3\xbcssel-\xf0\x9f\x98\x80-1",
        r"Schl\303\274ssel-\u{1f600}-1",
        "Schl%c3%bcssel-%F0%9F%98%80-1",
        "Schl&#252;ssel-&#x1F600;-1",
    ] {
        check_concealed("Schlüssel-😀-1", text, "[secret:token]");
    }
}

#[test]
fn a_secret_that_looks_encoded_itself_is_concealed() {
    for (value, text) in [
        ("a%41b c", "a%41b c"),
        ("a%41b c", "a%2541b%20c"),
        // Who encoded the space let pass what was encoded already.
        ("a%41b c", "a%41b%20c"),
        (r"a\u0041b", r"a\\u0041b"),
        ("x&amp;y", "x&amp;amp;y"),
        ("1+1=2 ok", "1%2B1%3D2+ok"),
    ] {
        check_concealed(value, &format!("<{text}>"), "<[secret:token]>");
    }
}

#[test]
fn a_short_secret_is_concealed_however_it_is_escaped() {
    for text in ["a&b", "a%26b", r"a\u0026b", "a&amp;b", "%61%26%62"] {
        check_concealed("a&b", text, "[secret:token]");
    }
}

/// What stands for the secret in it, and how much else there is.
fn rest_of(value: &str, text: &str) -> usize {
    let secrets = secrets(&[("token", value)]);
    let concealed = String::from_utf8(secrets.conceal(text.into())).unwrap();
    let (before, after) = concealed
        .split_once("[secret:token]")
        .unwrap_or_else(|| panic!("{text} became {concealed}"));
    before.len() + after.len()
}

#[test]
fn base64_and_hexadecimal_are_seen_through_lines_groups_and_escapes() {
    let long = "hunter22hunter22hunter22hunter22hunter22hunter22hunter22hunter22hunter22hunter22";
    // printf VALUE | base64, and the same in JSON.
    let lines = "aHVudGVyMjJodW50ZXIyMmh1bnRlcjIyaHVudGVyMjJodW50ZXIyMmh1bnRlcjIyaHVudGVyMjJo\n\
                 dW50ZXIyMmh1bnRlcjIyaHVudGVyMjI=\n";
    assert!(rest_of(long, lines) <= 6);
    assert!(rest_of(long, &lines.replace('\n', "\\n")) <= 10);
    for text in [
        "68 75 6e 74 65 72 32 32",
        "68:75:6E:74:65:72:32:32",
        "6875 6e74 6572 3232",
    ] {
        check_concealed("hunter22", text, "[secret:token]");
    }
    // printf '?>?>?>' | base64: "Pz4/Pj8+", with characters that JSON and URLs escape.
    for text in ["Pz4/Pj8+", r"Pz4\/Pj8+", "Pz4%2FPj8%2B", "Pz4_Pj8-"] {
        check_concealed("?>?>?>", text, "[secret:token]");
    }
}

#[test]
fn what_is_around_a_secret_stays_as_it_came() {
    let text = r#"{"a\u0041": "x\ny%20 hunter2\u0032 &amp; z", "b": "hunter%32%32%20"}"#;
    let expected = r#"{"a\u0041": "x\ny%20 [secret:token] &amp; z", "b": "[secret:token]%20"}"#;
    check_concealed("hunter22", text, expected);
    let none = r#"{"a\u0041": "x\ny%20 hunter2 &amp; z"}"#;
    check_concealed("hunter22", none, none);
}

#[test]
fn the_longer_secret_wins_and_what_stands_for_one_is_not_searched() {
    let secrets = secrets(&[("short", "secret"), ("long", "secret-and-more")]);
    let concealed = secrets.conceal(b"secret-and-more secret".to_vec());
    assert_eq!(concealed, b"[secret:long] [secret:short]");
}

proptest::proptest! {
    #[test]
    fn what_is_revealed_is_concealed_again(value in "[ -~]{6,40}", before in "[0-9]{0,9}", after in "[0-9]{0,9}") {
        let secrets = secrets(&[("token", &value)]);
        let text = format!("{before}${{secret:token}}{after}");
        let revealed = secrets.reveal(&text).unwrap();
        let concealed = secrets.conceal(revealed.into_bytes());
        let concealed = String::from_utf8(concealed).unwrap();
        proptest::prop_assert!(!concealed.contains(value.trim_end_matches('\n')));
        proptest::prop_assert_eq!(secrets.reveal(&concealed), Ok(concealed.clone()), "it does not come back");
    }

    #[test]
    fn no_choice_of_escapes_shows_a_secret(value in "[ -~äß😀]{1,12}", choices in proptest::collection::vec(0..7_u8, 12)) {
        let dressed: String = value.chars().zip(choices).map(|(character, choice)| {
            let bytes = character.encode_utf8(&mut [0; 4]).bytes().collect::<Vec<u8>>();
            match choice {
                0 => bytes.iter().map(|byte| format!("%{byte:02x}")).collect(),
                1 => bytes.iter().map(|byte| format!("%{byte:02X}")).collect(),
                // What has a meaning in percent-encoding is always encoded in it.
                _ if character == '%' => "%25".to_owned(),
                _ => character.to_string(),
            }
        }).collect();
        let secrets = secrets(&[("token", &value)]);
        let concealed = secrets.conceal(format!("Ж{dressed}Ж").into_bytes());
        let concealed = String::from_utf8(concealed).unwrap();
        proptest::prop_assert_eq!(concealed, "Ж[secret:token]Ж");
    }

    #[test]
    fn no_choice_of_json_escapes_shows_a_secret(value in "[ -~äß😀]{1,12}", choices in proptest::collection::vec(0..3_u8, 12)) {
        let escape = |unit: &u16| format!("\\u{unit:04x}");
        let dressed: String = value.chars().zip(choices).map(|(character, choice)| {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units).iter();
            match (choice, character) {
                (0, _) => units.map(escape).collect(),
                (_, '"' | '\\') => format!("\\{character}"),
                (1, '/') => "\\/".to_owned(),
                _ => character.to_string(),
            }
        }).collect();
        let secrets = secrets(&[("token", &value)]);
        let concealed = secrets.conceal(format!("Ж{dressed}Ж").into_bytes());
        let concealed = String::from_utf8(concealed).unwrap();
        proptest::prop_assert_eq!(concealed, "Ж[secret:token]Ж");
    }
}

#[test]
fn as_many_bytes_may_be_of_a_secret_as_the_longest_known_value_has_in_its_longest_form() {
    let secrets = secrets(&[("a", "hunter22"), ("b", "hunter")]);
    assert_eq!(max_concealed_now(&secrets), 64);
    secrets.prepare_from(&BTreeMap::new()).unwrap();
    secrets.adopt();
    let of_before = max_concealed_now(&secrets);
    assert_eq!(of_before, 64, "a program may still print it");
    let none = ConfiguredSecrets::load(&BTreeMap::new()).unwrap();
    assert_eq!(max_concealed_now(&none), 0);
}

/// `text` is a piece of something longer, and what is left shows nothing of the secret.
fn check_piece(value: &str, text: &str, expected: &str) {
    let secrets = secrets(&[("token", value)]);
    let concealed = String::from_utf8(secrets.conceal_piece(text.into())).unwrap();
    assert_eq!(concealed, expected, "{value:?} in {text:?}");
}

#[test]
fn what_is_begun_of_a_secret_at_the_end_of_a_piece_is_concealed_in_each_of_its_dresses() {
    const VALUE: &str = "sup3r/s3cret+val";
    for length in 4..=VALUE.len() {
        let text = format!("last {}", &VALUE[..length]);
        check_piece(VALUE, &text, "last [secret:token]");
    }
    for text in [
        // What JSON and URLs make of it, also where the last escape is not whole.
        r"last sup3r\/s3c",
        r"last sup3r\",
        "last sup3r%2Fs3c",
        "last sup3r%2",
        "last sup3r%252Fs3c",
        // printf VALUE | base64, and in hexadecimal.
        "last c3VwM3IvczNj",
        "last 7375703372",
    ] {
        check_piece(VALUE, text, "last [secret:token]");
    }
    for text in ["last sup", "sup3r and more", "last 7375", ""] {
        check_piece(VALUE, text, text);
    }
}

#[test]
fn what_is_left_of_a_secret_at_the_begin_of_a_piece_is_concealed() {
    check_piece(
        "sup3r/s3cret+val",
        "3cret+val and more",
        "[secret:token] and more",
    );
    check_piece("sup3r/s3cret+val", "val and more", "val and more");
}

#[test]
fn nearly_all_of_a_secret_that_was_never_finished_is_concealed_within_a_piece() {
    let text = "last sup3r/s3cret+va\nstarts again";
    check_piece(
        "sup3r/s3cret+val",
        text,
        "last [secret:token]\nstarts again",
    );
    let whole = "sup3r/s3cret+val, sup3r/s3cret+val";
    check_piece("sup3r/s3cret+val", whole, "[secret:token], [secret:token]");
}

#[test]
fn a_line_of_a_secret_with_lines_is_concealed_within_a_piece() {
    let value = "line1secret\nline2secret\nline3secret";
    for (text, expected) in [
        ("a line1secret", "a [secret:token]"),
        ("a line1secret\n", "a [secret:token]"),
        ("a line2secret b", "a [secret:token] b"),
        (
            "line2secret\r\nline3secret b",
            "[secret:token]\r\n[secret:token] b",
        ),
        ("line1secret\nline2secret\nline3secret", "[secret:token]"),
    ] {
        check_piece(value, text, expected);
    }
}
