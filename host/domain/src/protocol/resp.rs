//! RESP2, which every Redis and Valkey speaks with who asks for nothing else: arrays of bulk strings there, one reply back
//! for each. And what a backup of one is: the commands that give it its keys again.

use crate::text::excerpt;
use std::time::Duration;

/// The bytes of a command with its words.
pub fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bulk(&mut bytes, word.as_ref());
    }
    bytes
}

fn bulk(bytes: &mut Vec<u8>, word: &[u8]) {
    bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
    bytes.extend_from_slice(word);
    bytes.extend_from_slice(b"\r\n");
}

/// What the first line of a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A simple string, which is all of it.
    Text(String),
    /// An error: a word in capitals, and a sentence.
    Error(String),
    /// An integer.
    Number(i64),
    /// So many bytes follow, and an end of line after them.
    Bulk(u64),
    /// So many replies follow.
    Array(u64),
    /// Nothing is there.
    Nothing,
}

/// Reads the first line of a reply, without its end; the error says what it is instead.
///
/// ```
/// use mainstay_domain::protocol::resp::{Head, head};
/// assert_eq!(head(b"$5"), Ok(Head::Bulk(5)));
/// assert!(head(b"HTTP/1.1 400 Bad Request").is_err());
/// ```
pub fn head(line: &[u8]) -> Result<Head, String> {
    let text = String::from_utf8_lossy(line);
    let none = || format!("its answer is none of a Redis: {}", excerpt(&text));
    let mut letters = text.chars();
    let (kind, rest) = (letters.next().ok_or_else(none)?, letters.as_str());
    let number = || rest.parse::<u64>().map_err(|_| none());
    Ok(match kind {
        '+' => Head::Text(rest.to_owned()),
        '-' => Head::Error(rest.to_owned()),
        ':' => Head::Number(rest.parse().map_err(|_| none())?),
        '$' | '*' if rest == "-1" => Head::Nothing,
        '$' => Head::Bulk(number()?),
        '*' => Head::Array(number()?),
        _ => return Err(none()),
    })
}

/// When a key expires that has so many milliseconds left, as PTTL says, where the clock of its server is at `now` since 1970: in
/// milliseconds, to the second, so that it is the same each time it is asked. None where it never does.
pub fn expires_at(now: Duration, left: i64) -> Option<u64> {
    let left = Duration::from_millis(u64::try_from(left).ok()?);
    let rounded = now
        .saturating_add(left)
        .saturating_add(Duration::from_millis(500));
    Some(rounded.as_secs().saturating_mul(1_000).max(1))
}

/// How a RESTORE begins that gives a key the value of so many bytes, as DUMP wrote it. The value follows, and then
/// [`restore_end`].
pub fn restore_begin(key: &[u8], expires: Option<u64>, length: u64) -> Vec<u8> {
    let words = if expires.is_some() { 6 } else { 5 };
    let mut bytes = format!("*{words}\r\n").into_bytes();
    bulk(&mut bytes, b"RESTORE");
    bulk(&mut bytes, key);
    bulk(&mut bytes, expires.unwrap_or(0).to_string().as_bytes());
    bytes.extend_from_slice(format!("${length}\r\n").as_bytes());
    bytes
}

/// How it ends: what is there by this key goes, and `expires` is a time and no length.
pub fn restore_end(expires: Option<u64>) -> &'static [u8] {
    match expires {
        Some(_) => b"\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n",
        None => b"\r\n$7\r\nREPLACE\r\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_reply_says_what_follows() {
        for (line, expected) in [
            ("+OK", Head::Text("OK".to_owned())),
            ("-ERR no", Head::Error("ERR no".to_owned())),
            (":-2", Head::Number(-2)),
            ("$0", Head::Bulk(0)),
            ("*2", Head::Array(2)),
            ("$-1", Head::Nothing),
            ("*-1", Head::Nothing),
        ] {
            assert_eq!(head(line.as_bytes()), Ok(expected), "{line}");
        }
        for line in [
            "",
            "HTTP/1.1",
            ":x",
            "$-2",
            "*99999999999999999999",
            "\u{1F980}",
        ] {
            let error = head(line.as_bytes()).unwrap_err();
            assert!(error.contains("none of a Redis"), "{error}");
        }
    }

    #[test]
    fn a_value_comes_with_the_command_that_gives_it_back() {
        let restored = |expires| {
            let value = b"\x00\xff".as_slice();
            let begin = restore_begin(b"a\r\n", expires, 2);
            [begin.as_slice(), value, restore_end(expires)].concat()
        };
        let never =
            b"*5\r\n$7\r\nRESTORE\r\n$3\r\na\r\n\r\n$1\r\n0\r\n$2\r\n\x00\xff\r\n$7\r\nREPLACE\r\n";
        assert_eq!(restored(None), never);
        let words: [&[u8]; 6] = [
            b"RESTORE",
            b"a\r\n",
            b"7000",
            b"\x00\xff",
            b"REPLACE",
            b"ABSTTL",
        ];
        assert_eq!(restored(Some(7_000)), command(&words));
    }

    #[test]
    fn the_end_of_a_key_is_a_time_to_the_second() {
        let now = Duration::from_millis(1_700_000_000_250);
        for (left, expected) in [
            (-1, None),
            (-2, None),
            (0, Some(1_700_000_000_000)),
            (249, Some(1_700_000_000_000)),
            (250, Some(1_700_000_001_000)),
            (10_000, Some(1_700_000_010_000)),
        ] {
            assert_eq!(expires_at(now, left), expected, "{left}");
        }
    }
}
