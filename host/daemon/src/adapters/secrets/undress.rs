//! Undoing what servers and programs do to a text when they print it, whoever did it to however much of the text.
//!
//! Invariant: what each byte was made of is known, so that what is found in an undressed text can be hidden in the text
//! as it came.
//! Invariant: one pass over the text for each of these.

use std::ops::Range;

/// A text without one kind of dress.
pub(super) struct Undressed {
    /// The text.
    pub(super) bytes: Vec<u8>,
    /// What was undone, in order.
    units: Vec<Unit>,
}

/// Something that was undone. All between two of them is as it came.
struct Unit {
    /// Where what it became begins, among the bytes.
    at: usize,
    /// How long that is; may be nothing.
    length: usize,
    /// What it was.
    from: Range<usize>,
}

impl Undressed {
    /// What a range of the bytes, which is not empty, was made of.
    pub(super) fn source(&self, range: Range<usize>) -> Range<usize> {
        let last = range.end.saturating_sub(1);
        self.source_of(range.start).start..self.source_of(last).end
    }

    fn source_of(&self, index: usize) -> Range<usize> {
        let begun = self.units.partition_point(|unit| unit.at <= index);
        let unit = begun.checked_sub(1).and_then(|last| self.units.get(last));
        let Some(unit) = unit else {
            return index..index + 1;
        };
        match (index - unit.at).checked_sub(unit.length) {
            None => unit.from.clone(),
            Some(behind) => {
                let start = unit.from.end + behind;
                start..start + 1
            }
        }
    }
}

/// Up to four bytes.
type Few = ([u8; 4], usize);

/// The text without the escapes of JSON, of programming languages and of shells, which all begin with a backslash; none
/// where it has none.
pub(super) fn backslashes(text: &[u8]) -> Option<Undressed> {
    undone(text, b"\\", backslash)
}

/// The text without percent-encoding; none where it has none.
pub(super) fn percents(text: &[u8]) -> Option<Undressed> {
    undone(text, b"%", percent)
}

/// The text without the encoding of HTML forms; none where it has no space in that.
pub(super) fn forms(text: &[u8]) -> Option<Undressed> {
    let plus = |text: &[u8]| match text.first() {
        Some(b'+') => Some((1, byte(b' '))),
        _ => percent(text),
    };
    text.contains(&b'+').then(|| undone(text, b"%+", plus))?
}

/// The text without the character references of HTML and XML; none where it has none.
pub(super) fn references(text: &[u8]) -> Option<Undressed> {
    undone(text, b"&", reference)
}

/// The text without what breaks long base64 into lines, and hexadecimal into groups; none where it has none.
pub(super) fn breaks(text: &[u8]) -> Option<Undressed> {
    const BREAKS: &[u8] = b" \t\r\n:";
    undone(text, BREAKS, |text| {
        let breaks = text.iter().take_while(|byte| BREAKS.contains(byte));
        Some((breaks.count(), ([0; 4], 0)))
    })
}

/// `unit` says of what begins with one of `marks` how long it is, and what it becomes; none where it stays.
fn undone(
    text: &[u8],
    marks: &[u8],
    unit: impl Fn(&[u8]) -> Option<(usize, Few)>,
) -> Option<Undressed> {
    let mut bytes = Vec::new();
    let mut units = Vec::new();
    // What lies before `kept` is in `bytes` already.
    let (mut kept, mut at) = (0, 0);
    while let Some(rest) = text.get(at..) {
        let Some(ahead) = rest.iter().position(|byte| marks.contains(byte)) else {
            break;
        };
        at += ahead;
        let Some((length, (few, count))) = text.get(at..).and_then(&unit) else {
            at += 1;
            continue;
        };
        bytes.extend_from_slice(text.get(kept..at).unwrap_or_default());
        units.push(Unit {
            at: bytes.len(),
            length: count,
            from: at..at + length,
        });
        bytes.extend_from_slice(few.get(..count).unwrap_or_default());
        at += length;
        kept = at;
    }
    if units.is_empty() {
        return None;
    }
    bytes.extend_from_slice(text.get(kept..).unwrap_or_default());
    Some(Undressed { bytes, units })
}

fn backslash(text: &[u8]) -> Option<(usize, Few)> {
    let escaped = match *text.get(1)? {
        b'u' => return unicode(text),
        b'x' => return Some((4, byte(two_digits(text.get(2..4)?)?))),
        b'0'..=b'3' => {
            let code = number(text.get(1..4)?, 8)?;
            return Some((4, byte(u8::try_from(code).ok()?)));
        }
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'f' => 0x0c,
        other if other == b' ' || other.is_ascii_punctuation() => other,
        _ => return None,
    };
    Some((2, byte(escaped)))
}

/// `\u00e4`, two of these for what is beyond 16 bits, or `\u{e4}`.
fn unicode(text: &[u8]) -> Option<(usize, Few)> {
    if text.get(2) == Some(&b'{') {
        let digits = text.get(3..)?;
        let count = digits.iter().take(7).position(|byte| *byte == b'}')?;
        let code = number(digits.get(..count)?, 16)?;
        return Some((count + 4, character(code)?));
    }
    let first = number(text.get(2..6)?, 16)?;
    if let Some(found) = character(first) {
        return Some((6, found));
    }
    if text.get(6..8)? != b"\\u" {
        return None;
    }
    let second = number(text.get(8..12)?, 16)?;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((12, character(0x1_0000 + (high << 10) + low)?))
}

fn percent(text: &[u8]) -> Option<(usize, Few)> {
    Some((3, byte(two_digits(text.get(1..3)?)?)))
}

fn reference(text: &[u8]) -> Option<(usize, Few)> {
    let end = text.iter().take(10).position(|byte| *byte == b';')?;
    let few = match text.get(1..end)? {
        b"amp" => byte(b'&'),
        b"lt" => byte(b'<'),
        b"gt" => byte(b'>'),
        b"quot" => byte(b'"'),
        b"apos" => byte(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => character(number(digits, 16)?)?,
        [b'#', digits @ ..] => character(number(digits, 10)?)?,
        _ => return None,
    };
    Some((end + 1, few))
}

fn two_digits(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits, 16)?).ok()
}

/// Digits and nothing else.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    let are_digits = text.chars().all(|digit| digit.is_digit(radix));
    are_digits.then(|| u32::from_str_radix(text, radix).ok())?
}

fn byte(byte: u8) -> Few {
    ([byte, 0, 0, 0], 1)
}

fn character(code: u32) -> Option<Few> {
    let mut bytes = [0; 4];
    let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
    Some((bytes, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Undo = fn(&[u8]) -> Option<Undressed>;
    const ALL: [Undo; 5] = [backslashes, percents, forms, references, breaks];

    fn check(undo: Undo, dressed: &str, expected: Option<&str>) {
        let undressed = undo(dressed.as_bytes());
        let text = undressed.map(|undressed| String::from_utf8(undressed.bytes).unwrap());
        assert_eq!(text.as_deref(), expected, "{dressed}");
    }

    #[test]
    fn each_kind_of_dress_is_undone_wherever_it_is() {
        check(backslashes, r#"a\"b\\c\/d\ne"#, Some("a\"b\\c/d\ne"));
        check(
            backslashes,
            r"\u0041\u00e4\u20AC\ud83d\uDE00",
            Some("Aä€😀"),
        );
        check(backslashes, r"\x41\101\u{41}\u{1F600}\&\ ", Some("AAA😀& "));
        check(percents, "a%20b%2f%2F%c3%a4+", Some("a b//ä+"));
        check(forms, "a+b%2Bc", Some("a b+c"));
        check(
            references,
            "&amp;&lt;&gt;&quot;&apos;&#65;&#x41;&#X41;",
            Some("&<>\"'AAA"),
        );
        check(breaks, "68:75 6e\r\n 74", Some("68756e74"));
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for undo in ALL {
            check(undo, "plain", None);
            check(undo, "", None);
        }
        for text in [
            r"\",
            r"\u",
            r"\u12",
            r"\ud83d",
            r"\ud83d\u0041",
            r"\u{}",
            r"\u{1234567",
            r"\x4",
            r"\xzz",
            r"\u+041",
            r"\k",
            r"\08",
        ] {
            let kept = backslashes(text.as_bytes()).is_none_or(|found| found.bytes.len() > 1);
            assert!(kept, "{text}");
        }
        for text in ["%", "%4", "%zz", "%+4", "100% ", "%-1"] {
            check(percents, text, None);
        }
        check(forms, "a%20b", None);
        for text in [
            "&",
            "&;",
            "&amp",
            "&#;",
            "&#x;",
            "&nosuch;",
            "&#x110000;",
            "& amp;",
        ] {
            check(references, text, None);
        }
    }

    #[test]
    fn where_something_stood_is_known() {
        let text = r"ab\u0041c\\d";
        let undressed = backslashes(text.as_bytes()).unwrap();
        assert_eq!(undressed.bytes, br"abAc\d");
        for (range, expected) in [
            (0..2, "ab"),
            (0..3, r"ab\u0041"),
            (2..3, r"\u0041"),
            (3..4, "c"),
            (3..5, r"c\\"),
            (5..6, "d"),
            (0..6, text),
        ] {
            assert_eq!(&text[undressed.source(range)], expected);
        }
        // Of a character with several bytes each is the whole.
        let undressed = backslashes(br"\u00e4").unwrap();
        assert_eq!(
            (undressed.source(0..1), undressed.source(1..2)),
            (0..6, 0..6)
        );
        // A break in front of something is no part of it.
        let undressed = breaks(b"a  b: c").unwrap();
        assert_eq!(undressed.source(0..1), 0..1);
        assert_eq!(undressed.source(1..2), 3..4);
        assert_eq!(undressed.source(0..3), 0..7);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_lose_their_place(text in "([ -~]|\\\\u[0-9a-fd]{0,4}|%[0-9a-f]{0,2}|&#x?[0-9]{0,3};){0,20}") {
            for undo in ALL {
                let Some(undressed) = undo(text.as_bytes()) else { continue };
                for index in 0..undressed.bytes.len() {
                    let source = undressed.source(index..index + 1);
                    prop_assert!(source.start < source.end && source.end <= text.len());
                }
            }
        }
    }
}
