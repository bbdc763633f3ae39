//! Values that no key expects, as they stand behind its `=`.

use crate::campaign::Random;

/// What stands between quotes. Those with a backslash are escapes of TOML.
const TEXTS: [&str; 66] = [
    "",
    " ",
    "a",
    "A",
    "-",
    "a--b",
    "ä",
    r"\u0000",
    r"a\u0000b",
    r"\u001b[31mred",
    r"\u202eexe.txt",
    r"\u200b",
    r"\n\n\n",
    "\u{1b}[2J",
    "\u{202e}evil",
    "\u{feff}",
    "\0",
    "${secret:x}",
    "${secret:hook-token}",
    "${secret:",
    "${secret:${secret:x}}",
    "${env:HOME}",
    "{",
    "{key",
    "{p}{p}",
    "{{}}",
    "1ms",
    "0s",
    "-1s",
    "1e9d",
    "1.5s",
    "99999999999999999999d",
    "18446744073709551615ms",
    "NaN",
    "infd",
    "1s1s",
    "16EiB",
    "-1B",
    "99999999999999TiB",
    ", * * * *",
    "* * * * *",
    "60 24 32 13 8",
    "*/0 * * * *",
    "0 0 30 2 *",
    "0-59/1,59-0 * * * *",
    "@reboot",
    "/",
    ".",
    "..",
    "a/../../..",
    "/dev/zero",
    "/dev/full",
    "/proc/self/mem",
    "fifo",
    "loop",
    "http://[::1",
    "http://169.254.169.254",
    "http://a@b:99999/",
    "0.0.0.0:0",
    "[::]:99999",
    "^(a|a)*$",
    "a{1000}{1000}{1000}",
    "((((((((((((((((((((",
    "^1, ^2, <0",
    "Mars/Phobos",
    "SIGKILL",
];

/// What stands without quotes.
const BARE: [&str; 44] = [
    "-1",
    "0",
    "1",
    "64",
    "65",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "0xffffffffffffffff",
    "0o777",
    "1_000",
    "0.0",
    "-0.0",
    "0.5",
    "1e-308",
    "1e308",
    "1e999",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "true",
    "false",
    "[]",
    "[[]]",
    "[\"\"]",
    "[1, \"a\"]",
    "{}",
    "{ kind = \"linear\" }",
    "{ file = \"fifo\", env = \"X\" }",
    "[{ kind = \"directory\", path = \"state\" }]",
    "1979-05-27",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "\"\"\"",
    "'''",
    "\"",
];

/// A value, which may be a long one.
pub(super) fn value(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => long(random),
        1..=18 => random.pick(&BARE).as_bytes().to_vec(),
        _ => {
            let text: &'static str = random.pick::<&'static str>(&TEXTS);
            quoted(text)
        }
    }
}

/// What may stand between quotes.
pub(super) fn text(random: &mut Random) -> &'static [u8] {
    random.pick(&TEXTS).as_bytes()
}

fn quoted(text: &str) -> Vec<u8> {
    format!("\"{text}\"").into_bytes()
}

/// What costs time or memory where it is not bounded.
fn long(random: &mut Random) -> Vec<u8> {
    let deep = [50, 100, 1_000, 20_000][random.index(4)];
    match random.below(11) {
        0 => quoted(&"a".repeat(1 << 20)),
        1 => quoted(&"\u{202e}".repeat(100_000)),
        2 => ["[".repeat(deep), "]".repeat(deep)].concat().into_bytes(),
        3 => ["{ a = ".repeat(deep), "1".to_owned(), " }".repeat(deep)]
            .concat()
            .into_bytes(),
        4 => format!("[{}]", "\"a\", ".repeat(50_000)).into_bytes(),
        5 => format!("[{}]", "{ }, ".repeat(20_000)).into_bytes(),
        6 => quoted(&format!("{}0 * * * *", "0,".repeat(20_000))),
        7 => quoted(&"(".repeat(deep)),
        8 => quoted(&format!("{}1", ">=1, ".repeat(deep))),
        9 => quoted(&"../".repeat(deep)),
        _ => quoted(&"${secret:x}".repeat(deep)),
    }
}
